package deploycheck_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// BuildKit reads the Containerfile without a warning, what it copies is there, and it builds for any architecture without
// running a foreign one.
func TestContainerfile(t *testing.T) {
	raw, err := os.ReadFile(deploy + "/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	read, err := parser.Parse(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range read.Warnings {
		t.Errorf("%v: %s", warning.Location, warning.Short)
	}
	rules := linter.New(&linter.Config{Warn: func(rule, description, _, message string, at []parser.Range) {
		t.Errorf("%v: %s: %s (%s)", at, rule, message, description)
	}})
	stages, _, err := instructions.Parse(read.AST, rules)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for i, stage := range stages {
		last := i == len(stages)-1
		if !last && stage.Platform != "$BUILDPLATFORM" {
			t.Errorf("stage %s is built on the target's architecture", stage.Name)
		}
		for _, command := range stage.Commands {
			switch c := command.(type) {
			case *instructions.CopyCommand:
				if c.From != "" && !named[c.From] {
					t.Errorf("%s copies from %s, which is no earlier stage", stage.Name, c.From)
				}
				if c.From == "" {
					copied(t, c.SourcePaths)
				}
			case *instructions.RunCommand:
				if last {
					t.Errorf("the last stage runs %v: a foreign architecture would be emulated", c.CmdLine)
				}
			}
		}
		named[stage.Name] = true
	}
	text := string(raw)
	for _, want := range []string{"ARG TARGETOS TARGETARCH\n", "GOOS=$TARGETOS GOARCH=$TARGETARCH go build", "\nUSER 65532:65532\n", "CGO_ENABLED=0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Containerfile has no %q", want)
		}
	}
}

// copied looks for sources in the build's context, which is the repository.
func copied(t *testing.T, sources []string) {
	t.Helper()
	for _, source := range sources {
		if found, err := filepath.Glob(filepath.Join("../..", source)); err != nil || len(found) == 0 {
			t.Errorf("COPY %s: nothing is there", source)
		}
	}
}

// What secrets.sh and an operator put beside compose.yaml is sent to no builder and committed by nobody.
func TestSecretsStayOut(t *testing.T) {
	for _, name := range []string{"../../.dockerignore", "../../.gitignore"} {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		patterns, err := ignorefile.ReadAll(file)
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"deploy/compose/secrets/nats-callout.json", "deploy/compose/secrets.new/postgres-password", "data/jwt.key"} {
			if ignored, err := patternmatcher.MatchesOrParentMatches(secret, patterns); err != nil || !ignored {
				t.Errorf("%s lets %s through, %v", name, secret, err)
			}
		}
	}
}
