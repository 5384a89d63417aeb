package wire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"corrosion/schema"
)

func payloadDoc(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "payload.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// firstCells are the names in backquotes in the first cells of the table that follows a heading.
func firstCells(doc, heading string) (names []string) {
	_, section, _ := strings.Cut(doc, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				names = append(names, name[1])
			}
		}
	}
	return names
}

func TestDocsListEveryReason(t *testing.T) {
	var want []string
	for _, r := range Reasons() {
		want = append(want, string(r))
	}
	if got := firstCells(payloadDoc(t), "## What happens to bad ones"); !slices.Equal(got, want) {
		t.Errorf("the table of docs/payload.md has\n%v, want\n%v", got, want)
	}
}

// Reasons is written by hand: this holds it against the constants of the source.
func TestReasonsAreComplete(t *testing.T) {
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`Reason = "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, m[1])
	}
	var got []string
	for _, r := range Reasons() {
		got = append(got, string(r))
	}
	if !slices.Equal(got, want) {
		t.Errorf("Reasons() is\n%v, the constants are\n%v", got, want)
	}
}

func TestDocsListEveryField(t *testing.T) {
	want := []string{"server_id", "ts"}
	for f := range schema.NumFields {
		want = append(want, f.String())
	}
	want = append(want, "metrics")
	if got := firstCells(payloadDoc(t), "## A sample"); !slices.Equal(got, want) {
		t.Errorf("the table of docs/payload.md has\n%v, want\n%v", got, want)
	}
}

func TestDocsExamplesAreGood(t *testing.T) {
	examples := regexp.MustCompile(`'(\{.*\})'`).FindAllStringSubmatch(payloadDoc(t), -1)
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	for _, m := range examples {
		if !json.Valid([]byte(m[1])) {
			t.Errorf("%s is no JSON", m[1])
		}
		one(t, m[1])
	}
}

func TestDocsListEveryEventReason(t *testing.T) {
	_, events, _ := strings.Cut(payloadDoc(t), "## Events")
	got := firstCells("## Events"+events, "| reason | costs | means |")
	for _, r := range EventReasons() {
		if !slices.Contains(got, string(r)) {
			t.Errorf("docs/payload.md does not name %s among %v", r, got)
		}
	}
}
