package grafana

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Grafana takes nearly any JSON and shows holes: what it would not say is checked here.
func TestDashboardsAreSound(t *testing.T) {
	uids := map[string]string{}
	for file, d := range load(t) {
		if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 {
			t.Errorf("%s: uid %q, title %q, schema %d", file, d.UID, d.Title, d.SchemaVersion)
		}
		if other := uids[d.UID]; other != "" {
			t.Errorf("%s and %s share the uid %s", file, other, d.UID)
		}
		uids[d.UID] = file
		checkPanels(t, file, d)
		checkGrid(t, file, d.Panels)
		checkVariables(t, file, d)
	}
}

func checkPanels(t *testing.T, file string, d dashboard) {
	t.Helper()
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
			t.Errorf("%s: panel %d %q has no id or title of its own", file, p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		if p.Type == "row" {
			continue
		}
		if p.Datasource == nil || len(p.Targets) == 0 {
			t.Errorf("%s: panel %q has no data source or no query", file, p.Title)
			continue
		}
		if p.Type == "timeseries" && p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s: panel %q has no unit", file, p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.RefID == "" || refs[q.RefID] || q.Datasource == nil || *q.Datasource != *p.Datasource {
				t.Errorf("%s: panel %q: query %q has no letter of its own or another data source", file, p.Title, q.RefID)
			}
			refs[q.RefID] = true
			checkSource(t, file, d, p.Title, *q.Datasource, q)
		}
	}
}

// checkSource wants the data source to be a variable of the dashboard, so that it works under any name, and the query to
// be of its kind.
func checkSource(t *testing.T, file string, d dashboard, where string, s source, q target) {
	t.Helper()
	name := strings.TrimSuffix(strings.TrimPrefix(s.UID, "${"), "}")
	isSource := func(v variable) bool { return v.Name == name && v.Type == "datasource" && v.Query == s.Type }
	if !slices.ContainsFunc(d.Templating.List, isSource) {
		t.Errorf("%s: %s: no variable offers the data source %s of type %s", file, where, s.UID, s.Type)
	}
	switch s.Type {
	case clickhouseSource:
		if q.RawSQL == "" || q.Expr != "" {
			t.Errorf("%s: %s: a ClickHouse query needs rawSql alone", file, where)
		}
	case prometheusSource:
		if q.Expr == "" || q.RawSQL != "" {
			t.Errorf("%s: %s: a Prometheus query needs expr alone", file, where)
		}
	default:
		t.Errorf("%s: %s: data source of type %q", file, where, s.Type)
	}
}

// checkGrid wants panels within the 24 columns, and no two in one place.
func checkGrid(t *testing.T, file string, panels []panel) {
	t.Helper()
	for i, p := range panels {
		g := p.GridPos
		if g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s: panel %q lies at %+v", file, p.Title, g)
		}
		for _, other := range panels[:i] {
			o := other.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%s: %q lies over %q", file, p.Title, other.Title)
			}
		}
	}
}

func checkVariables(t *testing.T, file string, d dashboard) {
	t.Helper()
	known := map[string]bool{}
	for _, v := range d.Templating.List {
		known[v.Name] = true
		if v.Type == "query" && (v.Datasource == nil || v.Query == "" || v.Query != v.Definition) {
			t.Errorf("%s: variable %s has no data source or no query", file, v.Name)
		}
	}
	for where, query := range queriesOf(d) {
		for _, m := range variableRef.FindAllStringSubmatch(query, -1) {
			if !known[m[1]] {
				t.Errorf("%s: %s uses the variable %s, which is not there", file, where, m[1])
			}
		}
	}
}

// What is provisioned, what the dashboards ask for and what the documentation says are one.
func TestProvisioningFitsTheDocs(t *testing.T) {
	sources, provider, docs := text(t, "provisioning/datasources/corrosion.yaml"), text(t, "provisioning/dashboards/corrosion.yaml"), text(t, "../../docs/grafana.md")
	for _, uid := range []string{"corrosion-clickhouse", "corrosion-prometheus"} {
		if !strings.Contains(sources, "uid: "+uid+"\n") {
			t.Errorf("no data source is provisioned as %s", uid)
		}
	}
	for _, kind := range []string{clickhouseSource, prometheusSource} {
		if !strings.Contains(sources, "type: "+kind+"\n") {
			t.Errorf("no data source of type %s is provisioned", kind)
		}
	}
	names := regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(sources, -1)
	if len(names) < 4 {
		t.Errorf("the data sources take %v from the environment", names)
	}
	for _, name := range names {
		if !strings.Contains(docs, name[1]) {
			t.Errorf("docs/grafana.md does not say what %s is", name[1])
		}
	}
	_, path, _ := strings.Cut(provider, "path: ")
	if path = strings.TrimSpace(path); path == "" || !strings.Contains(docs, path) {
		t.Errorf("docs/grafana.md does not mount the dashboards at %q", path)
	}
	for _, d := range load(t) {
		if !strings.Contains(docs, d.Title) {
			t.Errorf("docs/grafana.md does not name %q", d.Title)
		}
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
