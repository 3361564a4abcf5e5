// Judges proofs of small trees with two implementations that are not ours: the Go project's tlog, and merkle of
// transparency-dev.
//
// Usage: trees < QUESTIONS. A question is a line: `inclusion INDEX SIZE LEAF ROOT HASH...` or
// `consistency OLD NEW OLDROOT NEWROOT HASH...`, hashes in hex. Prints a line for each: the verdicts of both.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

func judge(question string) (first, second error) {
	words := strings.Fields(question)
	a, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return err, err
	}
	b, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return err, err
	}
	var raw [][]byte
	var hashes []tlog.Hash
	for _, word := range words[3:] {
		hash, err := hex.DecodeString(word)
		if err != nil {
			return err, err
		}
		raw, hashes = append(raw, hash), append(hashes, tlog.Hash(hash))
	}
	hasher := rfc6962.DefaultHasher
	if words[0] == "inclusion" {
		return tlog.CheckRecord(hashes[2:], b, hashes[1], a, hashes[0]),
			proof.VerifyInclusion(hasher, uint64(a), uint64(b), raw[0], raw[2:], raw[1])
	}
	return tlog.CheckTree(hashes[2:], b, hashes[1], a, hashes[0]),
		proof.VerifyConsistency(hasher, uint64(a), uint64(b), raw[2:], raw[0], raw[1])
}

func verdict(err error) string {
	if err != nil {
		return "bad"
	}
	return "good"
}

func main() {
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		first, second := judge(questions.Text())
		fmt.Println(verdict(first), verdict(second))
	}
}
