// Judges checkpoints by trust policies with the code of transparency-dev, which is not ours.
//
// Usage: policy [POLICY NOTE]... where POLICY is a tlog-policy file and NOTE a checkpoint. Prints a line for each pair:
// whether enough witnesses have cosigned.
package main

import (
	"fmt"
	"os"

	"github.com/transparency-dev/formats/witness"
)

func judge(policyFile, noteFile string) (bool, error) {
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return false, err
	}
	quorum, err := witness.ParsePolicy(policy)
	if err != nil {
		return false, err
	}
	note, err := os.ReadFile(noteFile)
	return quorum.Satisfied(note), err
}

func main() {
	for at := 1; at+1 < len(os.Args); at += 2 {
		enough, err := judge(os.Args[at], os.Args[at+1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(enough)
	}
}
