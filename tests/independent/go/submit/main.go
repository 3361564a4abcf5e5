// Asks witnesses to cosign the checkpoint of a published log, with the client of the Tessera project, which is not ours.
//
// Usage: submit LOG LOGSECRET POLICY. LOG holds the checkpoint and the tiles, LOGSECRET is the log's key as a note signer
// of Go, POLICY the tlog-policy with the witnesses' addresses. Prints the checkpoint with the cosignatures.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	formats "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

// log reads ours. It hides the checkpoint, so that the client has to learn from a witness how much that has seen.
type log struct {
	client.FileFetcher
	size uint64
}

func (l log) ReadCheckpoint(context.Context) ([]byte, error) { return nil, os.ErrNotExist }
func (l log) NextIndex(context.Context) (uint64, error)      { return l.size, nil }
func (l log) IntegratedSize(context.Context) (uint64, error) { return l.size, nil }

func submit(ctx context.Context, folder, secret, policyFile string) ([]byte, error) {
	files := client.FileFetcher{Root: folder}
	signed, err := files.ReadCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	var tree formats.Checkpoint
	if _, err := tree.Unmarshal(signed); err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	if signer.Name() != tree.Origin {
		return nil, errors.New("the key of another log")
	}
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	group, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return nil, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithWitnesses(group, &tessera.WitnessOptions{Timeout: 20 * time.Second})
	reader := log{FileFetcher: files, size: tree.Size}
	return options.CheckpointPublisher(reader, http.DefaultClient)(ctx, tree.Size, tree.Hash)
}

func main() {
	cosigned, err := submit(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(cosigned)
}
