// Judges a published log with the transparency log code of the Go project, none of which is ours.
//
// Usage: sumdb FOLDER LOGKEY [WITNESSKEY...]. FOLDER is that of an incarnation: `log` holds the checkpoint and the
// tiles, `witnessed` a checkpoint that every given witness must have cosigned. Checks the signatures, that every entry
// is in the signed tree, that samples have inclusion proofs, and that the witnessed tree is the beginning of the
// published one. Prints the number of entries.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// files reads tiles where tlog-tiles puts them; tlog itself writes the tile height into the path as well. It keeps the
// last of them, because proofs of neighbours read the same ones.
type files struct {
	log  string
	kept map[string][]byte
}

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, ok := f.kept[path]
		if !ok {
			var err error
			if content, err = os.ReadFile(filepath.Join(f.log, path)); err != nil {
				return nil, err
			}
			f.kept[path] = content
		}
		data = append(data, content)
	}
	return data, nil
}

// witness verifies a cosignature, which the Go project has no code for: a time, and a signature over it and the text.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	return ed25519.Verify(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), signature[8:])
}

func newWitness(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a verifier key: %q", vkey)
	}
	var hash uint32
	if _, err := fmt.Sscanf(parts[1], "%08x", &hash); err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, fmt.Errorf("not a witness's key: %q", vkey)
	}
	return witness{name: parts[0], hash: hash, key: ed25519.PublicKey(key[1:])}, nil
}

// open gives the tree of a checkpoint that all of the verifiers have signed, the first of them the log's own.
func open(path string, verifiers ...note.Verifier) (tlog.Tree, error) {
	signed, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(opened.Sigs) != len(verifiers) {
		return tlog.Tree{}, fmt.Errorf("%s: %d of %d signatures", path, len(opened.Sigs), len(verifiers))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifiers[0].Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", verifiers[0].Name(), opened.Text)
	}
	// The first line of the Go project's own tree format differs; size and hash are written alike.
	return tlog.ParseTree([]byte("go.sum database tree\n" + lines[1] + "\n" + lines[2] + "\n"))
}

// checkEntries compares every entry with its leaf in the tree, and checks an inclusion proof for some of them.
func checkEntries(log string, tree tlog.Tree, reader tlog.HashReader) error {
	for start := int64(0); start < tree.N; start += 1 << height {
		width := min(tree.N-start, 1<<height)
		bundle := tlog.Tile{H: height, L: -1, N: start >> height, W: int(width)}
		path := strings.Replace(bundle.Path(), "tile/8/data/", "tile/entries/", 1)
		content, err := os.ReadFile(filepath.Join(log, path))
		if err != nil {
			return err
		}
		var wanted []int64
		for i := range width {
			wanted = append(wanted, tlog.StoredHashIndex(0, start+i))
		}
		leaves, err := reader.ReadHashes(wanted)
		if err != nil {
			return err
		}
		for i := range width {
			if len(content) < 2 || len(content) < 2+int(binary.BigEndian.Uint16(content)) {
				return fmt.Errorf("%s ends inside entry %d", path, start+i)
			}
			size := 2 + int(binary.BigEndian.Uint16(content))
			if tlog.RecordHash(content[2:size]) != leaves[i] {
				return fmt.Errorf("entry %d is not in the tree", start+i)
			}
			content = content[size:]
		}
		if len(content) != 0 {
			return fmt.Errorf("%s holds %d bytes too many", path, len(content))
		}
	}
	for index := int64(0); index < tree.N; index += 1 + tree.N/500 {
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return nil
}

// checkBeginning checks that one tree is the beginning of another.
func checkBeginning(old, tree tlog.Tree, reader tlog.HashReader) error {
	if old.N == 0 {
		empty, err := tlog.TreeHash(0, reader)
		if err == nil && empty != old.Hash {
			err = fmt.Errorf("the root of the empty tree is %v, not %v", empty, old.Hash)
		}
		return err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func judge(folder, logKey string, witnessKeys []string) (int64, error) {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return 0, err
	}
	verifiers := []note.Verifier{log}
	for _, key := range witnessKeys {
		verifier, err := newWitness(key)
		if err != nil {
			return 0, err
		}
		verifiers = append(verifiers, verifier)
	}
	tree, err := open(filepath.Join(folder, "log", "checkpoint"), log)
	if err != nil {
		return 0, err
	}
	witnessed, err := open(filepath.Join(folder, "witnessed"), verifiers...)
	if err != nil {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, files{log: filepath.Join(folder, "log"), kept: map[string][]byte{}})
	if err := checkBeginning(witnessed, tree, reader); err != nil {
		return 0, fmt.Errorf("witnessed: %w", err)
	}
	return tree.N, checkEntries(filepath.Join(folder, "log"), tree, reader)
}

func main() {
	size, err := judge(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size)
}
