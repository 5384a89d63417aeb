package cluster_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"corrosion/deploy/local"
	"corrosion/schema/cluster"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// migrations are the product's own, in order.
func migrations(t *testing.T) (names []string) {
	t.Helper()
	names, err := filepath.Glob("../clickhouse/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal("no migrations", err)
	}
	return names
}

func rendered(t *testing.T, o cluster.Options) (all []cluster.Statement) {
	t.Helper()
	for _, name := range migrations(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		statements, err := o.Render(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, statements...)
	}
	return all
}

// columns are left out of the golden files: they are those of the migrations.
var columns = regexp.MustCompile(`(?s)\n\(\n    license_id .*?\n\)\n`)

func TestRenderGolden(t *testing.T) {
	for name, o := range map[string]cluster.Options{
		"replicated": {Name: "prod", Replicated: true, OnCluster: true},
		"by_node":    {Name: "prod", Replicated: true},
		"plain":      {Name: "prod"},
	} {
		var got bytes.Buffer
		for _, s := range rendered(t, o) {
			text := columns.ReplaceAllString(s.Text, "\n(…)\n")
			if at := strings.Index(text, " AS\n"); at > 0 {
				text = text[:at] + " AS …"
			}
			if len(text) > 1000 {
				text = text[:1000] + "…"
			}
			fmt.Fprintf(&got, "%s;\n", text)
			if s.Rows {
				got.WriteString("-- once a shard\n")
			}
		}
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs; look at it and write it anew with -args -update", file)
		}
	}
}

// No statement speaks of the database that everybody reads but those that make its Distributed tables.
func TestRenderedStatementsAreANodesOwn(t *testing.T) {
	shared := regexp.MustCompile(`\bcorrosion\.`)
	for _, s := range rendered(t, cluster.Options{Name: "prod", Replicated: true, OnCluster: true}) {
		if strings.HasPrefix(s.Text, "CREATE OR REPLACE TABLE corrosion.") {
			continue
		}
		if shared.MatchString(s.Text) {
			t.Errorf("reads over all shards: %.80s", s.Text)
		}
		if !s.Rows && !strings.Contains(s.Text, " ON CLUSTER prod") {
			t.Errorf("without ON CLUSTER: %.80s", s.Text)
		}
	}
}

// The engine reads every statement of the replicated variant, which it cannot run.
func TestEngineReadsTheReplicatedVariant(t *testing.T) {
	conn := schematest.ClickHouse(t)
	for _, s := range rendered(t, cluster.Options{Name: "prod", Replicated: true, OnCluster: true}) {
		rows, err := conn.Query(t.Context(), "EXPLAIN AST "+s.Text)
		if err != nil {
			t.Errorf("%v: %.200s", err, s.Text)
			continue
		}
		rows.Close()
	}
}

func TestRenderRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, up := range []string{
		"CREATE TABLE IF NOT EXISTS corrosion.news (a UInt8) ENGINE = MergeTree ORDER BY a;",
		"DROP TABLE IF EXISTS corrosion.samples;", "OPTIMIZE TABLE corrosion.samples;",
	} {
		if got, err := (cluster.Options{Name: "prod"}).Render("-- +goose Up\n" + up + "\n\n-- +goose Down\n"); err == nil {
			t.Errorf("%s became %v", up, got)
		}
	}
}

func TestSplit(t *testing.T) {
	f := func(raw, base string, want cluster.Options) {
		t.Helper()
		gotBase, got, err := cluster.Split(raw)
		if err != nil || gotBase != base || got != want {
			t.Errorf("Split(%q) = %q, %+v, %v", raw, gotBase, got, err)
		}
		if joined := got.Join(gotBase); want.Is() && joined != raw {
			t.Errorf("%q became %q", raw, joined)
		}
	}
	f("clickhouse://a:9000/corrosion", "clickhouse://a:9000/corrosion", cluster.Options{})
	f("clickhouse://a,b/corrosion?secure=true&cluster=prod", "clickhouse://a,b/corrosion?secure=true", cluster.Options{Name: "prod", Replicated: true, OnCluster: true})
	f("clickhouse://a?cluster=prod&replicated=false", "clickhouse://a", cluster.Options{Name: "prod"})
	f("clickhouse://a?cluster=prod&on_cluster=false", "clickhouse://a", cluster.Options{Name: "prod", Replicated: true})
	for _, raw := range []string{"c://a?cluster=", "c://a?cluster=a-b'", "c://a?replicated=false", "c://a?cluster=a&replicated=perhaps", "c://a?cluster=%zz"} {
		if _, o, err := cluster.Split(raw); err == nil {
			t.Errorf("%q was read as %+v", raw, o)
		}
	}
}

func TestOwnSQL(t *testing.T) {
	f := func(statement, want string) {
		t.Helper()
		if got := cluster.OwnSQL(statement); got != want {
			t.Errorf("OwnSQL(%q) = %q", statement, got)
		}
	}
	f("SELECT * FROM corrosion.samples WHERE database = 'corrosion'", "SELECT * FROM corrosion_shard.samples WHERE database = 'corrosion_shard'")
	f("joinGet('corrosion.healing', 1) corrosion.`a` corrosion.{t:Identifier}", "joinGet('corrosion_shard.healing', 1) corrosion_shard.`a` corrosion_shard.{t:Identifier}")
	f("startsWith(query_id, 'corrosion-ingest-') FROM corrosion_shard.samples", "startsWith(query_id, 'corrosion-ingest-') FROM corrosion_shard.samples")
	if local.ShardDatabase != cluster.Own || local.Database != cluster.Database {
		t.Error("deploy/local has other names of the databases")
	}
}
