// A witness made of the code of transparency-dev (checkpoints, consistency proofs, cosignatures) by the description of
// tlog-witness; none of it is ours.
//
// Usage: witness WITNESSSECRET LOGKEY... Listens on a port of the loopback interface, which it prints, until its standard
// input ends. It keeps what it has cosigned in memory.
package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	formats "github.com/transparency-dev/formats/log"
	cosignatures "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type server struct {
	signer note.Signer
	logs   map[string][]note.Verifier

	lock   sync.Mutex
	latest map[string]formats.Checkpoint
}

// parse reads a request: the old size, the proof and the checkpoint.
func parse(body []byte) (old uint64, hashes [][]byte, checkpoint []byte, err error) {
	head, checkpoint, found := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if n, err := fmt.Sscanf(lines[0], "old %d", &old); !found || n != 1 || err != nil {
		return 0, nil, nil, errors.New("not a request")
	}
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return 0, nil, nil, err
		}
		hashes = append(hashes, hash)
	}
	return old, hashes, checkpoint, nil
}

func (s *server) addCheckpoint(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<16))
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	old, hashes, signed, err := parse(body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	keys := s.logs[origin]
	if keys == nil {
		http.Error(response, "unknown log", http.StatusNotFound)
		return
	}
	opened, err := note.Open(signed, note.VerifierList(keys...))
	if err != nil {
		http.Error(response, err.Error(), http.StatusForbidden)
		return
	}
	var next formats.Checkpoint
	if _, err := next.Unmarshal([]byte(opened.Text)); err != nil || old > next.Size {
		http.Error(response, "not a checkpoint, or smaller than its old size", http.StatusBadRequest)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	seen := s.latest[origin]
	if seen.Size != old {
		response.Header().Set("Content-Type", "text/x.tlog.size")
		response.WriteHeader(http.StatusConflict)
		fmt.Fprintf(response, "%d\n", seen.Size)
		return
	}
	switch {
	case old == 0 && len(hashes) != 0:
		err = errors.New("a proof from nothing")
	case old > 0:
		err = proof.VerifyConsistency(rfc6962.DefaultHasher, old, next.Size, hashes, seen.Hash, next.Hash)
	}
	if err != nil {
		http.Error(response, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	cosigned, err := note.Sign(&note.Note{Text: opened.Text}, s.signer)
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	s.latest[origin] = next
	response.Write(cosigned[len(opened.Text)+1:])
}

func run(secret string, logKeys []string) error {
	signer, err := cosignatures.NewSignerForCosignatureV1(secret)
	if err != nil {
		return err
	}
	witness := &server{signer: signer, logs: map[string][]note.Verifier{}, latest: map[string]formats.Checkpoint{}}
	for _, key := range logKeys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		witness.logs[verifier.Name()] = append(witness.logs[verifier.Name()], verifier)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	http.HandleFunc("POST /add-checkpoint", witness.addCheckpoint)
	fmt.Printf("http://%s\n", listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		listener.Close()
	}()
	if err := http.Serve(listener, nil); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
