package grafana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"corrosion/deploy/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// dashboard is what the tests look at of Grafana's JSON.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Annotations   struct{ List []annotation }
	Templating    struct{ List []variable }
}

type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Datasource  *source
	Targets     []target
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
}

type source struct{ Type, UID string }

type target struct {
	RefID      string
	Datasource *source
	// RawSQL is a ClickHouse target's; its Format is 0 for a timeseries and 1 for a table.
	RawSQL string
	Format int
	// Expr is a Prometheus target's.
	Expr string
}

type annotation struct {
	Name       string
	BuiltIn    int
	Datasource *source
	Target     target
}

type variable struct {
	Name, Type, Definition string
	Query                  string
	Datasource             *source
	Multi, IncludeAll      bool
}

// The types of the two data sources.
const (
	clickhouseSource = "grafana-clickhouse-datasource"
	prometheusSource = "prometheus"
)

// load reads every dashboard, by file name.
func load(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob("dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]dashboard{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[filepath.Base(path)] = d
	}
	if len(all) < 3 {
		t.Fatalf("there are %d dashboards, want network, server and ingest", len(all))
	}
	return all
}
