package deploycheck_test

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchor is what GitHub calls a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(notInAnchor.ReplaceAllString(heading, "")), " ", "-")
}

// anchors are those of a document, outside of its code.
func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	found, code := map[string]bool{}, false
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if hashes := strings.TrimLeft(line, "#"); !code && len(hashes) < len(line) && strings.HasPrefix(hashes, " ") {
			found[anchor(strings.TrimSpace(hashes))] = true
		}
	}
	return found
}

// Prometheus takes the rules, and each alert leads to the section of the docs that says what to do.
func TestRules(t *testing.T) {
	groups, faults := rulefmt.ParseFile(deploy+"/prometheus/rules.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, fault := range faults {
		t.Error(fault)
	}
	link := regexp.MustCompile(`\b(docs/[a-z-]+\.md)#([a-z0-9-]+)`)
	alerts := 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			alerts++
			found := link.FindStringSubmatch(rule.Annotations["runbook"])
			if found == nil || !anchors(t, found[1])[found[2]] {
				t.Errorf("%s: its runbook leads nowhere: %s", rule.Alert, rule.Annotations["runbook"])
			}
		}
	}
	if alerts < 10 {
		t.Errorf("%d alerts", alerts)
	}
}
