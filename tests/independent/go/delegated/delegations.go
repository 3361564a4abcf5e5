// This file reads delegations: how one key lets another sign, from that of the organisation down.

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	textLines = 5
	noteLines = textLines + 2 // an empty line, and one signature
)

// delegation is one note of the file: what it says, and its bytes.
type delegation struct {
	note                     []byte
	issuer                   string // name and hash of the key that signed
	scope                    string
	delegate                 string // name and hash of the key that may sign
	public                   ed25519.PublicKey
	from, until, successions time.Time
}

func below(scope, name string) bool { return name == scope || strings.HasPrefix(name, scope+"/") }

func name(v note.Verifier) string { return fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash()) }

// parse reads a delegation that one of the known keys must have signed.
func parse(content []byte, known []note.Verifier) (*delegation, error) {
	opened, err := note.Open(content, note.VerifierList(known...))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != textLines+1 || lines[0] != "situs.key-delegation/v1" || len(opened.Sigs) != 1 {
		return nil, fmt.Errorf("not a delegation: %q", opened.Text)
	}
	key, err := note.NewVerifier(lines[2])
	if err != nil {
		return nil, err
	}
	// The third part may hold a plus too: it is base64.
	public, err := base64.StdEncoding.DecodeString(strings.SplitN(lines[2], "+", 3)[2])
	if err != nil || len(public) != 1+ed25519.PublicKeySize || key.Name() != lines[1] {
		return nil, fmt.Errorf("not a key of %s: %q", lines[1], lines[2])
	}
	signs, successors := strings.Split(lines[3], " "), strings.Split(lines[4], " ")
	if len(signs) != 3 || signs[0] != "signs" || len(successors) != 2 || successors[0] != "successors" {
		return nil, fmt.Errorf("no windows: %q", lines[3:])
	}
	var at [3]time.Time
	for i, text := range []string{signs[1], signs[2], successors[1]} {
		if at[i], err = time.Parse("2006-01-02T15:04:05Z", text); err != nil {
			return nil, err
		}
	}
	return &delegation{
		note: content, issuer: fmt.Sprintf("%s+%08x", opened.Sigs[0].Name, opened.Sigs[0].Hash),
		scope: lines[1], delegate: name(key), public: public[1:], from: at[0], until: at[1], successions: at[2],
	}, nil
}

// follow checks the delegations one after the other, from the organisation's key down.
func follow(content []byte, organisation note.Verifier) ([]*delegation, error) {
	known := []note.Verifier{organisation}
	given := map[string]*delegation{}
	var chain []*delegation
	lines := bytes.SplitAfter(content, []byte("\n"))
	for start := 0; start+noteLines < len(lines); start += noteLines + 1 {
		next, err := parse(bytes.Join(lines[start:start+noteLines], nil), known)
		if err != nil {
			return nil, fmt.Errorf("delegation from line %d: %w", start+1, err)
		}
		issuer, _, _ := strings.Cut(next.issuer, "+")
		by := given[next.issuer]
		switch {
		case !below(issuer, next.scope):
			err = fmt.Errorf("%s may not delegate %s", issuer, next.scope)
		case given[next.delegate] != nil:
			err = fmt.Errorf("%s was delegated to before", next.delegate)
		case !next.from.Before(next.until) || next.until.After(next.successions):
			err = errors.New("it ends before it begins")
		case by != nil && (next.from.Before(by.from) || !next.from.Before(by.until)):
			err = errors.New("it begins outside the window of its issuer")
		case by != nil && next.successions.After(by.successions):
			err = errors.New("it ends later than its issuer may give")
		}
		if err != nil {
			return nil, fmt.Errorf("delegation from line %d: %w", start+1, err)
		}
		vkey, err := note.NewEd25519VerifierKey(next.scope, next.public)
		if err != nil {
			return nil, err
		}
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, err
		}
		known, chain = append(known, verifier), append(chain, next)
		given[next.delegate] = next
	}
	if len(chain) == 0 {
		return nil, errors.New("no delegation")
	}
	return chain, nil
}
