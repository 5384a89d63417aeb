package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// allowedImports says which of our packages a package may import; a prefix stands for all below it. Test support
// packages (schematest, localtest, chaos, paypaltest) may be imported by any test.
func allowedImports() []struct{ from, to string } {
	return []struct{ from, to string }{
		{"corrosion/schema/schematest", "corrosion/schema"},
		{"corrosion/schema/schematest", "corrosion/deploy/local"},
		{"corrosion/deploy/local/localtest", "corrosion/deploy/local"},
		{"corrosion/schema/", "corrosion/schema"},
		{"corrosion/schema", "corrosion/schema/connect"},
		{"corrosion/schema", "corrosion/schema/cluster"},
		{"corrosion/schema", "corrosion/schema/pause"},
		{"corrosion/ingest", "corrosion/schema"},
		{"corrosion/ingest", "corrosion/ingest"},
		{"corrosion/deploy/local", "corrosion/schema/pause"},
		{"corrosion/deploy/backup", "corrosion/schema"},
		{"corrosion/deploy/agent", "corrosion/schema/command"},
		{"corrosion/deploy/agent", "corrosion/schema/connect"},
		{"corrosion/deploy/agent", "corrosion/schema/pause"},
		{"corrosion/cmd/corrosion-agent", "corrosion/deploy/agent"},
		{"corrosion/aggregator", "corrosion/schema"},
		{"corrosion/aggregator", "corrosion/aggregator"},
		{"corrosion/api", "corrosion/schema"},
		{"corrosion/api", "corrosion/api"},
		{"corrosion/cmd/corrosion", "corrosion"},
	}
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// support tells packages that only tests and other support packages may import.
func support(path string) bool {
	return strings.HasSuffix(path, "/schematest") || strings.HasSuffix(path, "/localtest") ||
		strings.HasSuffix(path, "/chaos") || strings.HasSuffix(path, "/paypaltest")
}

func allowed(from, to string) bool {
	if support(to) && !support(from) {
		return false
	}
	for _, edge := range allowedImports() {
		if within(from, edge.from) && within(to, edge.to) {
			return true
		}
	}
	return false
}

// A sample goes one way through the packages; an import that turns back is a fault of design.
func TestImportEdges(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "corrosion/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for decoder.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages++
		for _, to := range p.Imports {
			if within(to, "corrosion") && !allowed(p.ImportPath, to) {
				t.Errorf("%s may not import %s", p.ImportPath, to)
			}
		}
	}
	if packages < 5 {
		t.Errorf("go list named only %d packages", packages)
	}
}
