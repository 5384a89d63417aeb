package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"
)

// rules is what deploy/prometheus/rules.yaml has.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Record, Expr string
			Labels, Annotations map[string]string
		}
	}
}

// registered are the names of all metrics of a platform, also those that have no value yet.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, hurry: make(chan struct{})}
	code := 0
	parser, err := newParser(e, &code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--log-level", "error", "--smtp-url", "smtp://127.0.0.1:1?from=stats@example.org"}); err != nil {
		t.Fatal(err)
	}
	command := &parser.Model.Target.Addr().Interface().(*cli).Serve
	r := newRoles(command.services, command.logger(e))
	t.Cleanup(func() {
		if err := r.close(e.hurry); err != nil {
			t.Error(err)
		}
	})
	if err := command.open(&env{ctx: context.Background(), stdin: e.stdin, stdout: e.stdout, stderr: e.stderr, hurry: e.hurry}, r); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() { r.registry.Describe(descriptions); close(descriptions) }()
	names, name := map[string]bool{}, regexp.MustCompile(`fqName: "([^"]+)"`)
	for description := range descriptions {
		if found := name.FindStringSubmatch(description.String()); found != nil {
			names[found[1]] = true
		}
	}
	return names
}

// Rules ask for metrics that there are, and every alert says what to do.
func TestPrometheusRules(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file rules
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	names, recorded, alerts := registered(t), map[string]bool{"up": true}, 0
	word := regexp.MustCompile(`\b(?:corrosion|process)[a-z0-9_:]*`)
	quoted := regexp.MustCompile(`"[^"]*"`)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			for _, metric := range word.FindAllString(quoted.ReplaceAllString(rule.Expr, `""`), -1) {
				base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(metric, "_bucket"), "_sum"), "_count")
				if !names[metric] && !names[base] && !recorded[metric] {
					t.Errorf("%s%s asks for %s, which nothing registers", rule.Alert, rule.Record, metric)
				}
			}
			recorded[rule.Record] = true
			if rule.Alert == "" {
				continue
			}
			alerts++
			if rule.Annotations["runbook"] == "" || rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s has no runbook, summary or severity", rule.Alert)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("only %d alerts", alerts)
	}
}
