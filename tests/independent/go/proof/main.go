// Judges tlog-proofs with the code of transparency-dev, none of which is ours.
//
// Usage: proof LOGKEY POLICY [PROOF ENTRY]... where each PROOF is a `.tlog-proof` file and ENTRY the file with the entry
// that it is about; POLICY is the tlog-policy file whose quorum must have cosigned. Prints index and size of each.
package main

import (
	"errors"
	"fmt"
	"os"

	formats "github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

func judge(verifier note.Verifier, quorum witness.Group, proofFile, entryFile string) (string, error) {
	content, err := os.ReadFile(proofFile)
	if err != nil {
		return "", err
	}
	var parsed tlogproof.TLogProof
	if err := parsed.Unmarshal(content); err != nil {
		return "", err
	}
	tree, _, _, err := formats.ParseCheckpoint(parsed.Checkpoint, verifier.Name(), verifier)
	if err != nil {
		return "", err
	}
	if !quorum.Satisfied(parsed.Checkpoint) {
		return "", errors.New("not cosigned by enough witnesses")
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		return "", err
	}
	var hashes [][]byte
	for _, hash := range parsed.Hashes {
		hashes = append(hashes, hash[:])
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(entry)
	err = proof.VerifyInclusion(rfc6962.DefaultHasher, parsed.Index, tree.Size, leaf, hashes, tree.Hash)
	return fmt.Sprintf("%d %d", parsed.Index, tree.Size), err
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	var policy []byte
	if err == nil {
		policy, err = os.ReadFile(os.Args[2])
	}
	var quorum witness.Group
	if err == nil {
		quorum, err = witness.ParsePolicy(policy)
	}
	for at := 3; err == nil && at+1 < len(os.Args); at += 2 {
		var found string
		if found, err = judge(verifier, quorum, os.Args[at], os.Args[at+1]); err == nil {
			fmt.Println(found)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
