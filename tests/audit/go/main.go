// Verifies a published decision log with the transparency log code of the Go project, none of which is ours.
//
// Usage: verify LOG VKEY. LOG is the folder that holds `checkpoint` and `tile`, VKEY a verifier key. Checks the
// signature of the checkpoint and the inclusion of every entry in its tree; prints the number of entries.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// files reads tiles where tlog-tiles puts them; tlog itself writes the tile height into the path as well.
type files struct{ log string }

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(f.log, path))
		if err != nil {
			return nil, err
		}
		data = append(data, content)
	}
	return data, nil
}

func verify(log, vkey string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return 0, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return 0, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	// The first line of the Go project's own tree format differs; size and hash are written alike.
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + lines[1] + "\n" + lines[2] + "\n"))
	if err != nil {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, files{log})
	for index := int64(0); index < tree.N; {
		width := min(tree.N-index, 1<<height)
		bundle := tlog.Tile{H: height, L: -1, N: index >> height, W: int(width)}
		path := strings.Replace(bundle.Path(), "tile/8/data/", "tile/entries/", 1)
		content, err := os.ReadFile(filepath.Join(log, path))
		if err != nil {
			return 0, err
		}
		for range width {
			if len(content) < 2 || len(content) < 2+int(binary.BigEndian.Uint16(content)) {
				return 0, fmt.Errorf("%s ends inside entry %d", path, index)
			}
			size := 2 + int(binary.BigEndian.Uint16(content))
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return 0, err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(content[2:size])); err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
			content = content[size:]
			index++
		}
		if len(content) != 0 {
			return 0, fmt.Errorf("%s holds %d bytes too many", path, len(content))
		}
	}
	return tree.N, nil
}

func main() {
	size, err := verify(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size)
}
