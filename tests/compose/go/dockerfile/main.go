// Reads a Dockerfile with the parser and the linter of BuildKit, which builds it, and prints its stages as JSON: each
// instruction with its words, and what the linter warns of.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

type stage struct {
	Name  string   `json:"name"`
	Base  string   `json:"base"`
	Steps []string `json:"steps"`
}

type found struct {
	Arguments []string `json:"arguments"`
	Stages    []stage  `json:"stages"`
	Warnings  []string `json:"warnings"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	shown := found{Warnings: []string{}}
	for _, warning := range tree.Warnings {
		shown.Warnings = append(shown.Warnings, warning.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		shown.Warnings = append(shown.Warnings, rule+": "+message)
	}})
	stages, arguments, err := instructions.Parse(tree.AST, lint)
	if err != nil {
		return err
	}
	for _, argument := range arguments {
		shown.Arguments = append(shown.Arguments, argument.String())
	}
	for _, each := range stages {
		steps := []string{}
		for _, command := range each.Commands {
			steps = append(steps, fmt.Sprint(command))
		}
		shown.Stages = append(shown.Stages, stage{Name: each.Name, Base: each.BaseName, Steps: steps})
	}
	return json.NewEncoder(os.Stdout).Encode(shown)
}
