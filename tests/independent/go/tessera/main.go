// Judges a published log with the code of the Tessera project (fsck, client) and of transparency-dev (checkpoints,
// cosignatures, witness policies, Merkle proofs), none of which is ours.
//
// Usage: tessera FOLDER LOGKEY POLICY. FOLDER is that of an incarnation: `log` holds the checkpoint and the tiles,
// `witnessed` a checkpoint that enough witnesses of the tlog-policy file POLICY must have cosigned. Rebuilds every tile
// from the entries, compares them and the root, and checks that the witnessed tree is the beginning of the published
// one. Prints the number of entries.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	formats "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// workers is how many tiles are compared at once. One ends at each bad tile, and fsck waits for ever without any.
const workers = 64

// leaves gives the leaf hashes of a bundle.
func leaves(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// checkBeginning checks that one tree is the beginning of another.
func checkBeginning(ctx context.Context, old, tree *formats.Checkpoint, log client.FileFetcher) error {
	if old.Size == 0 {
		if !bytes.Equal(old.Hash, rfc6962.DefaultHasher.EmptyRoot()) {
			return errors.New("not the root of the empty tree")
		}
		return nil
	}
	builder, err := client.NewProofBuilder(ctx, tree.Size, log.ReadTile)
	if err != nil {
		return err
	}
	hashes, err := builder.ConsistencyProof(ctx, old.Size, tree.Size)
	if err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, tree.Size, hashes, old.Hash, tree.Hash)
}

func judge(ctx context.Context, folder, logKey, policyFile string) (uint64, error) {
	verifier, err := note.NewVerifier(logKey)
	if err != nil {
		return 0, err
	}
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return 0, err
	}
	quorum, err := witness.ParsePolicy(policy)
	if err != nil {
		return 0, err
	}
	log := client.FileFetcher{Root: filepath.Join(folder, "log")}
	if err := fsck.New(verifier.Name(), verifier, log, leaves, fsck.Opts{N: workers}).Check(ctx); err != nil {
		return 0, err
	}
	tree, _, _, err := client.FetchCheckpoint(ctx, log.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return 0, err
	}
	witnessed, err := os.ReadFile(filepath.Join(folder, "witnessed"))
	if err != nil {
		return 0, err
	}
	old, rest, _, err := formats.ParseCheckpoint(witnessed, verifier.Name(), verifier)
	if err != nil {
		return 0, fmt.Errorf("witnessed: %w", err)
	}
	if len(rest) != 0 {
		return 0, fmt.Errorf("witnessed: more than three lines: %q", rest)
	}
	if !quorum.Satisfied(witnessed) {
		return 0, errors.New("witnessed: not cosigned by enough witnesses")
	}
	if err := checkBeginning(ctx, old, tree, log); err != nil {
		return 0, fmt.Errorf("witnessed: %w", err)
	}
	return tree.Size, nil
}

func main() {
	size, err := judge(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size)
}
