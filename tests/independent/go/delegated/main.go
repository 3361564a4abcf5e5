// Follows the keys of a published log from the key of an organisation, with the note and log code of the Go project and
// what is written here from the description of the formats: none of it is ours.
//
// Usage: delegated FOLDER ORGANISATIONKEY. FOLDER is that of an incarnation. Checks each delegation of the file
// `delegations` (signature, scope, windows), each change of keys among the entries (the delegation in it is one of the
// file, by the key that signed so far, and both keys have signed the tree before it), and that the last key has signed
// the checkpoint. Prints the number of entries and of changes. That the entries are in the tree is for the other judges.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// height is that of tiles, in levels of the tree.
const height = 8

// field gives the bytes of a length-delimited field of a protobuf message, or nil.
func field(message []byte, number uint64) []byte {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return nil
		}
		message = message[n:]
		switch tag & 7 {
		case 0:
			_, n = binary.Uvarint(message)
		case 1:
			n = 8
		case 2:
			size, m := binary.Uvarint(message)
			if m <= 0 || size > uint64(len(message)-m) {
				return nil
			}
			if tag>>3 == number {
				return message[m : m+int(size)]
			}
			n = m + int(size)
		case 5:
			n = 4
		default:
			return nil
		}
		if n <= 0 || n > len(message) {
			return nil
		}
		message = message[n:]
	}
	return nil
}

// at gives the time of an entry: its first field, a double of Unix seconds.
func at(entry []byte) (time.Time, error) {
	if len(entry) < 9 || entry[0] != 1<<3|1 {
		return time.Time{}, errors.New("an entry without a time")
	}
	seconds := math.Float64frombits(binary.LittleEndian.Uint64(entry[1:9]))
	return time.Unix(0, int64(seconds*1e9)), nil
}

// checkpoint gives the tree of a checkpoint of the log that all the delegates have signed.
func checkpoint(signed []byte, origin string, by ...*delegation) (tlog.Tree, error) {
	var verifiers []note.Verifier
	for _, each := range by {
		// A delegate signs under the name of the log, which is at or below the scope.
		vkey, err := note.NewEd25519VerifierKey(origin, each.public)
		if err != nil {
			return tlog.Tree{}, err
		}
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return tlog.Tree{}, err
		}
		if !below(each.scope, origin) {
			return tlog.Tree{}, fmt.Errorf("%s is no log of %s", origin, each.scope)
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(opened.Sigs) != len(by) {
		return tlog.Tree{}, fmt.Errorf("%d of %d signatures", len(opened.Sigs), len(by))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", origin, opened.Text)
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + lines[1] + "\n" + lines[2] + "\n"))
}

// tiles reads tiles where tlog-tiles puts them.
type tiles struct{ log string }

func (t tiles) Height() int                     { return height }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		content, err := os.ReadFile(filepath.Join(t.log, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		data = append(data, content)
	}
	return data, nil
}

// find gives the delegation that holds for what is asked, or nil.
func find(chain []*delegation, asked func(*delegation) bool) *delegation {
	for _, each := range chain {
		if asked(each) {
			return each
		}
	}
	return nil
}

// rotate checks a change of keys at an index of the log, from one delegate to the next.
func rotate(entry, rotation []byte, origin string, index int64, old, next *delegation, reader tlog.HashReader) error {
	before, err := checkpoint(field(rotation, 2), origin, old, next)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(index, reader)
	if err != nil {
		return err
	}
	if before.N != index || before.Hash != root {
		return fmt.Errorf("both keys have signed %d entries with root %v, expected %d with %v",
			before.N, before.Hash, index, root)
	}
	when, err := at(entry)
	if err != nil {
		return err
	}
	for _, each := range []*delegation{old, next} {
		if when.Before(each.from) || !when.Before(each.until) {
			return fmt.Errorf("changed at %v, outside the window of %s", when, each.delegate)
		}
	}
	return nil
}

func judge(folder, organisationKey string) (size int64, changes int, err error) {
	organisation, err := note.NewVerifier(organisationKey)
	if err != nil {
		return 0, 0, err
	}
	content, err := os.ReadFile(filepath.Join(folder, "delegations"))
	if err != nil {
		return 0, 0, err
	}
	chain, err := follow(content, organisation)
	if err != nil {
		return 0, 0, err
	}
	log := filepath.Join(folder, "log")
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return 0, 0, err
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	var tree tlog.Tree
	last := find(chain, func(each *delegation) bool {
		tree, err = checkpoint(signed, origin, each)
		return err == nil
	})
	if last == nil {
		return 0, 0, fmt.Errorf("checkpoint: signed by no delegate: %w", err)
	}
	reader := tlog.TileHashReader(tree, tiles{log})
	var signer *delegation // who signs from here on, where an entry has said so
	for index := int64(0); index < tree.N; {
		width := min(tree.N-index, 1<<height)
		path := tlog.Tile{H: height, L: -1, N: index >> height, W: int(width)}.Path()
		bundle, err := os.ReadFile(filepath.Join(log, strings.Replace(path, "tile/8/data/", "tile/entries/", 1)))
		if err != nil {
			return 0, 0, err
		}
		for range width {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return 0, 0, fmt.Errorf("the bundle ends inside entry %d", index)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if rotation := field(bundle[2:end], 11); rotation != nil {
				next := find(chain, func(each *delegation) bool { return bytes.Equal(each.note, field(rotation, 1)) })
				if next == nil {
					return 0, 0, fmt.Errorf("entry %d: a delegation that is not in the file", index)
				}
				old := find(chain, func(each *delegation) bool { return each.delegate == next.issuer })
				if old == nil || signer != nil && old != signer {
					return 0, 0, fmt.Errorf("entry %d: %s did not sign until then", index, next.issuer)
				}
				if err := rotate(bundle[2:end], rotation, origin, index, old, next, reader); err != nil {
					return 0, 0, fmt.Errorf("entry %d: %w", index, err)
				}
				signer = next
				changes++
			}
			if field(bundle[2:end], 8) != nil {
				signer = nil // Recovered: a later process ends this log, by its own key
			}
			bundle = bundle[end:]
			index++
		}
	}
	if signer != nil && last != signer {
		return 0, 0, fmt.Errorf("checkpoint: signed by %s, expected %s", last.delegate, signer.delegate)
	}
	return tree.N, changes, nil
}

func main() {
	size, changes, err := judge(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size, changes)
}
