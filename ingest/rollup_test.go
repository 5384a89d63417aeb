package ingest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

// Every rollup, also the one that is filled from another, is what its definition gives over samples: after several
// INSERTs of the same hours, and after one that was sent again under its token.
func TestRollupsAreTheirDefinition(t *testing.T) {
	url := newMigrated(t)
	conn := schematest.Connect(t, url)
	i, license := testInserter(t, url, "none"), uuid.New()
	i.timeout = time.Minute
	start := time.Now().UTC().Truncate(time.Hour).Add(-4 * time.Hour).UnixMilli()
	for round := range 3 {
		b := newBatch()
		b.id = uuid.NewString()
		for n := range 500 {
			s := testSample(n)
			s.License, s.TS, s.Epoch, s.Seq, s.Idx = license, start+int64(n*17+round)*1000, 3, uint64(round*500+n), 0
			s.SetFloat(schema.FPS, float64(n%64)/4) // whose sums are exact in any order
			b.Append(&s)
			b.owe(receipt{epoch: s.Epoch, seq: s.Seq, first: n, rows: 1}, time.Now())
		}
		for range 2 {
			b.attempt.done = false // as if the first answer had been lost
			if err := i.insert(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := rowsOf(t, url, license); n != 1500 {
		t.Fatalf("%d rows, want 1500", n)
	}
	for _, r := range schema.Rollups() {
		kept, defined := rollupRows(t, conn, r)
		if len(defined) == 0 || !slices.Equal(kept, defined) {
			t.Errorf("%s has %d rows, its definition gives %d:\n%s\n%s", r.Table, len(kept), len(defined), strings.Join(kept, "\n"), strings.Join(defined, "\n"))
		}
	}
}

var (
	simpleAggregate = regexp.MustCompile(`^SimpleAggregateFunction\((\w+),`)
	aggregateState  = regexp.MustCompile(`^AggregateFunction\((\w+(?:\([^)]*\))?),`)
)

// rollupRows are the rows of a table, put together by key, and those of its definition, as text.
func rollupRows(t *testing.T, conn driver.Conn, r schema.Rollup) (kept, defined []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = 'corrosion' AND table = ? ORDER BY position", r.Table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var keys, merged, single []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		column, table := "d."+name, "k."+name
		switch {
		case simpleAggregate.MatchString(kind):
			table = simpleAggregate.FindStringSubmatch(kind)[1] + "(" + table + ")"
			if strings.Contains(kind, "Array(") {
				table, column = "arraySort("+table+")", "arraySort("+column+")"
			}
		case aggregateState.MatchString(kind):
			function, parameters, _ := strings.Cut(aggregateState.FindStringSubmatch(kind)[1], "(")
			if parameters != "" {
				parameters = "(" + parameters
			}
			table, column = function+"Merge"+parameters+"("+table+")", "finalizeAggregation("+column+")"
		default:
			keys = append(keys, table)
		}
		merged, single = append(merged, "CAST(toString("+table+"), 'Nullable(String)')"), append(single, "CAST(toString("+column+"), 'Nullable(String)')")
	}
	return textRows(t, conn, fmt.Sprintf("SELECT [%s] FROM corrosion.%s AS k GROUP BY %s", strings.Join(merged, ", "), r.Table, strings.Join(keys, ", "))),
		textRows(t, conn, fmt.Sprintf("SELECT [%s] FROM (%s) AS d", strings.Join(single, ", "), definition(t, conn, r.View)))
}

// textRows are the rows of a query whose one column is an array of texts, sorted.
func textRows(t *testing.T, conn driver.Conn, query string) (all []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var cells []*string
		if err := rows.Scan(&cells); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(cells))
		for c, cell := range cells {
			if line[c] = "NULL"; cell != nil {
				line[c] = *cell
			}
		}
		all = append(all, strings.Join(line, " "))
	}
	slices.Sort(all)
	return all
}

// definition is a view's SELECT.
func definition(t *testing.T, conn driver.Conn, view string) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT as_select FROM system.tables WHERE database = 'corrosion' AND name = ?", view).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
