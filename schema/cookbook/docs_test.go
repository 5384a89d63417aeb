package cookbook_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"corrosion/schema/cookbook"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write docs/cookbook.md anew")

const (
	docsPath = "../../docs/cookbook.md"
	// exampleRows are shown of each answer.
	exampleRows = "5"
)

// docs/cookbook.md says what the files say, and its examples are what ClickHouse answers.
func TestDocsAreCurrent(t *testing.T) {
	fill(t)
	got := markdown(t)
	if *update {
		must(t, os.WriteFile(docsPath, []byte(got), 0o644))
	}
	want, err := os.ReadFile(docsPath)
	must(t, err)
	if got != string(want) {
		t.Errorf("docs/cookbook.md is not what the queries and testdata/intro.md say (edit those, and run `make generate`): %s", firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is\n%s\nand should be\n%s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("it has %d lines and should have %d", len(w), len(g))
}

func markdown(t *testing.T) string {
	t.Helper()
	intro, err := os.ReadFile(filepath.Join("testdata", "intro.md"))
	must(t, err)
	var b strings.Builder
	b.Write(intro)
	b.WriteString("\n## Contents\n")
	for _, topic := range cookbook.Topics() {
		fmt.Fprintf(&b, "\n**%s**\n\n", topic)
		for _, q := range ofTopic(topic) {
			fmt.Fprintf(&b, "- [%s](#%s): %s\n", q.Title, q.Name, q.Question)
		}
	}
	for _, topic := range cookbook.Topics() {
		fmt.Fprintf(&b, "\n## %s\n", topic)
		for _, q := range ofTopic(topic) {
			writeQuery(t, &b, q)
		}
	}
	return b.String()
}

func ofTopic(topic string) []cookbook.Query {
	return slices.DeleteFunc(cookbook.List(), func(q cookbook.Query) bool { return q.Topic != topic })
}

func writeQuery(t *testing.T, b *strings.Builder, q cookbook.Query) {
	t.Helper()
	fmt.Fprintf(b, "\n### %s\n\n**%s.** %s\n\n", q.Name, q.Title, q.Question)
	fmt.Fprintf(b, "[%s.sql](../schema/clickhouse/cookbook/%s.sql) reads `%s`.\n", q.Name, q.Name, strings.Join(q.Reads, "`, `"))
	if len(q.Params) > 0 {
		b.WriteString("\n| parameter | type | default | meaning |\n|---|---|---|---|\n")
		for _, p := range q.Params {
			value := "`" + p.Default + "`"
			if p.Required {
				value = "required"
			}
			fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", p.Name, p.Type, value, p.Meaning)
		}
	}
	b.WriteString("\n| column | type | unit | meaning |\n|---|---|---|---|\n")
	for _, c := range q.Answer {
		unit := c.Unit
		if unit == "*" {
			unit = "its own"
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", c.Name, c.Type, unit, c.Meaning)
	}
	call, output := example(t, q)
	fmt.Fprintf(b, "\n```sh\n%s\n```\n\n```\n%s```\n", call, output)
}

// example is a call and what it prints. What differs from run to run, such as bytes on disk, is recorded in a file.
func example(t *testing.T, q cookbook.Query) (call, output string) {
	t.Helper()
	given := exampleParameters()[q.Name]
	recorded, err := os.ReadFile(filepath.Join("testdata", "examples", q.Name+".txt"))
	if err == nil {
		return callOf(q, given), string(recorded)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	_, values := bind(t, q.Name, given)
	body, err := operator(t.Context(), schematest.ClickHouseHTTP(t), q.Text, "PrettyCompact", values, map[string]string{"limit": exampleRows})
	if err != nil {
		t.Fatalf("%s: %v", q.Name, err)
	}
	if output = string(body); strings.TrimSpace(output) == "" {
		output = "(no rows: all is well)\n"
	}
	return callOf(q, given), output
}

// exampleParameters are given where the defaults would show little.
func exampleParameters() map[string]map[string]string {
	return map[string]map[string]string{
		"queue-pressure": {"hours": "168"},
		"top-servers":    {"hours": "168"},
		"gaps":           {"gap_s": "200"},
		"busiest-hours":  {"tz": "Europe/Berlin"},
	}
}

func callOf(q cookbook.Query, given map[string]string) string {
	call := "corrosion sql " + q.Name
	for _, p := range q.Params {
		switch p.Name {
		case "license":
			call += " --param license=$LICENSE"
		case "until":
			call += " --param until=" + end
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		call += " --param " + name + "=" + given[name]
	}
	return call
}

// Every query whose right answer is empty says so in its question, since its example shows nothing.
func TestEmptyAnswersAreExplained(t *testing.T) {
	for _, name := range []string{"duplicates", "rollup-check"} {
		if q, _ := cookbook.Get(name); !strings.Contains(q.Question, "An empty answer is the right one") {
			t.Errorf("%s asks %q", name, q.Question)
		}
	}
}
