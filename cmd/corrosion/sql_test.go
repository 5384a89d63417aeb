package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"corrosion/schema/cookbook"
)

// sqlOnly runs the command without a platform: what it says before it asks ClickHouse.
func sqlOnly(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs lockedBuffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, hurry: make(chan struct{})}
	code = run(e, append([]string{"sql", "--data", t.TempDir()}, args...))
	return code, out.String(), errs.String()
}

func TestSQLListAndShow(t *testing.T) {
	code, out, stderr := sqlOnly(t, "--list")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, q := range cookbook.List() {
		if !strings.Contains(out, "  "+q.Name+" ") || !strings.Contains(out, q.Title) {
			t.Errorf("--list leaves out %s", q.Name)
		}
	}
	if !strings.Contains(out, "<license> hours=24 until=now limit=10") {
		t.Errorf("--list does not show parameters:\n%s", out)
	}
	q, _ := cookbook.Get("top-servers")
	if code, out, stderr := sqlOnly(t, "--show", "top-servers"); code != 0 || out != q.Text {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
}

func TestSQLRefusesByName(t *testing.T) {
	f := func(wants []string, args ...string) {
		t.Helper()
		code, out, stderr := sqlOnly(t, args...)
		if code != 1 || out != "" {
			t.Errorf("%v: exit %d, printed %q", args, code, out)
		}
		for _, want := range wants {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v says %q without %q", args, stderr, want)
			}
		}
	}
	f([]string{"no query top-server:", "did you mean top-servers", "--list"}, "top-server")
	f([]string{"no query xyz", "--list"}, "xyz")
	f([]string{"license is missing: the license whose servers are asked about"}, "top-servers")
	f([]string{`"soon" is not a whole number`, "how far back to look", "no parameter colour; it has license, hours, until, limit", "license is missing"},
		"top-servers", "--param", "hours=soon", "--param", "colour=red")
	f([]string{"give its name"}, "--show", "SELECT 1")
	f([]string{"the query is empty"})
	f([]string{"no platform runs on"}, "storage-by-table")
}

// A query of the cookbook answers by name; plain SQL works as before, and takes parameters too.
func TestSQLByName(t *testing.T) {
	p := startPlatform(t)
	license, _ := p.license("Cookbook")
	p.publish(license, `[{"server_id":"a","players":5},{"server_id":"b","players":9},{"server_id":"c","players":7}]`)
	p.awaitSamples(license, 3)

	var answer struct {
		Data []struct {
			ServerID string `json:"server_id"`
		}
		Rows int
	}
	out := p.corrosion("sql", "top-servers", "--param", "license="+license, "--param", "hours=1", "--param", "limit=2", "--format", "JSON")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Rows != 2 || answer.Data[0].ServerID != "b" || answer.Data[1].ServerID != "c" {
		t.Errorf("got %+v, want b and c", answer)
	}
	if code, out, stderr := p.try("sql", "duplicates"); code != 0 || out != "" || !strings.Contains(stderr, "no rows") {
		t.Errorf("an empty answer: exit %d, %q, %q", code, out, stderr)
	}
	const odd = "tab\there; a \\ and\na = line"
	if got := p.corrosion("sql", "--format", "JSONEachRow", "SELECT {x:String} AS x", "--param", "x="+odd); !strings.Contains(got, `"tab\there; a \\ and\na = line"`) {
		t.Errorf("got %s", got)
	}
	if code, _, stderr := p.try("sql", "SELECT {x:UInt8}"); code != 1 || !strings.Contains(stderr, "clickhouse says") {
		t.Errorf("a missing parameter of plain SQL: exit %d, %s", code, stderr)
	}
}

// What ClickHouse says amid an answer goes to standard error; the rows before it stay on standard output.
func TestSQLFaultAmidAnAnswer(t *testing.T) {
	p := startPlatform(t)
	f := func(format string, rows int) {
		t.Helper()
		query := fmt.Sprintf("SELECT number, throwIf(number = %d), randomPrintableASCII(100) FROM numbers(1000000) SETTINGS max_block_size = 1000", rows)
		code, out, stderr := p.try("sql", "--format", format, query)
		if code != 1 || !strings.HasPrefix(stderr, "corrosion: clickhouse says: Code: 395. DB::Exception: ") || strings.Contains(out+stderr, "__exception__") || len(stderr) > 500 {
			t.Errorf("%s, %d rows: exit %d, %d bytes, %.300q", format, rows, code, len(out), stderr)
		}
		if format == "TSV" && rows > 50_000 && len(out) < 1<<20 { // more than ClickHouse keeps back
			t.Errorf("%s: of %d rows came %d bytes", format, rows, len(out))
		}
	}
	for _, rows := range []int{0, 5000, 100_000} {
		f("PrettyCompact", rows)
		f("TSV", rows)
		f("JSON", rows)
	}
	query := "SELECT number, throwIf(number = 300000) FROM numbers(1000000) SETTINGS max_block_size = 1000" // long, and compressed well
	if code, _, stderr := p.try("sql", "--format", "JSON", query); code != 1 || !strings.HasPrefix(stderr, "corrosion: clickhouse says: Code: 395. ") {
		t.Errorf("exit %d, %.300q", code, stderr)
	}
}

// The commands of docs/cookbook.md answer as they stand there, on a running platform.
func TestCookbookWithCurl(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this machine has no %s", tool)
		}
	}
	page, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### With `curl`")
	_, block, _ := strings.Cut(section, "```sh\n")
	block, _, found := strings.Cut(block, "```")
	if !found || strings.Count(block, "\nask ") != 3 {
		t.Fatalf("docs/cookbook.md has no three questions with curl: %s", block)
	}
	p := startPlatform(t)
	license, _ := p.license("curl")
	slow := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)
	p.publish(license, `[{"server_id":"quick","players":5,"fps":60},{"server_id":"slow","players":9,"fps":3,"ts":"`+slow+`"}]`)
	p.awaitSamples(license, 2)
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(block, "data/endpoints.json", p.data+"/endpoints.json"))
	command.Dir, command.Env = "../..", append(os.Environ(), "LICENSE="+license)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"peak_players", "quick", "fps_min", "silent_minutes"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the answers have no %s:\n%s", want, out)
		}
	}
	if got := strings.Count(string(out), "│ slow "); got != 3 {
		t.Errorf("slow is in %d of the three answers:\n%s", got, out)
	}
}
