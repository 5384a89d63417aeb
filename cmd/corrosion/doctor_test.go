package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// doctor runs it with flags where no platform need be.
func doctor(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var printed lockedBuffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &printed, stderr: &printed, hurry: make(chan struct{})}
	code = run(e, append([]string{"doctor"}, args...))
	return code, printed.String()
}

// line is what doctor says of one thing, with what to do about it.
func line(out, what string) string {
	_, found, _ := strings.Cut(out, " "+what+" ")
	found, _, _ = strings.Cut(found, "\nok")
	found, _, _ = strings.Cut(found, "\nFAULT")
	return found
}

// Doctor looks and leaves nothing: a data directory that is not there is not made.
func TestDoctorMakesNothing(t *testing.T) {
	parent := t.TempDir()
	data := filepath.Join(parent, "not", "yet")
	if _, out := doctor(t, "--data", data); !strings.Contains(line(out, "data"), "will be made on first start") {
		t.Errorf("said:\n%s", out)
	}
	there := t.TempDir()
	if _, out := doctor(t, "--data", there); !strings.Contains(line(out, "data"), "can be written") {
		t.Errorf("said:\n%s", out)
	}
	for _, dir := range []string{parent, there} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("doctor made %v, %v", entries, err)
		}
	}
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if code, out := doctor(t, "--data", bad); code != 1 || !strings.Contains(line(out, "data"), "do: choose a directory") {
			t.Errorf("%s: exit %d\n%s", bad, code, out)
		}
	}
}

// Each setting that makes no sense is a fault with what to do about it, and without the secrets in it.
func TestDoctorOnSettings(t *testing.T) {
	data := t.TempDir()
	key := filepath.Join(data, "open.key")
	if err := os.WriteFile(key, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct{ flag, value, what, saw, todo string }{
		{"--jwt-key-file", key, "token key", "can be read by others (mode 644)", "chmod 600"},
		{"--cors-origins", "https://x.example.org/path", "api", "cors", "correct these settings"},
		{"--trusted-proxies", "10.0.0.0/8,nonsense", "api", "nonsense", "correct these settings"},
		{"--listen", "nowhere", "api", "want host:port", "correct these settings"},
		{"--public-url", "ftp://stats", "api", "", "give --public-url"},
		{"--smtp-url", "http://u:hunter2@mail", "mail", "", "CORROSION_SMTP_URL"},
	} {
		code, out := doctor(t, "--data", data, f.flag, f.value)
		said := line(out, f.what)
		if code != 1 || !strings.Contains(strings.ToLower(said), f.saw) || !strings.Contains(said, "do: ") || !strings.Contains(said, f.todo) || strings.Contains(out, "hunter2") {
			t.Errorf("%s %s: exit %d\n%s", f.flag, f.value, code, out)
		}
	}
	_, out := doctor(t, "--data", data, "--cors-origins", "https://a.example.org", "--trusted-proxies", "10.0.0.0/8", "--smtp-url", "smtp://u:hunter2@mail:587?from=a@example.org")
	if said := line(out, "api"); !strings.Contains(said, "pages of other origins: https://a.example.org; X-Forwarded-For is believed from 10.0.0.0/8") {
		t.Errorf("said:\n%s", out)
	}
	if said := line(out, "mail"); !strings.HasPrefix(strings.TrimSpace(said), "is sent") || strings.Contains(out, "hunter2") {
		t.Errorf("said:\n%s", out)
	}
}

// On a running platform a job that failed last is a fault, until it works again.
func TestDoctorOnJobs(t *testing.T) {
	p := startPlatformOn(t, t.TempDir())
	conn, err := pgx.Connect(t.Context(), p.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if code, out, _ := p.try("doctor"); code != 0 || !strings.Contains(line(out, "jobs"), "none failed last") {
		t.Errorf("exit %d\n%s", code, out)
	}
	const fail = `INSERT INTO job_runs (job, scheduled_at, cause, instance, started_at, finished_at, error)
		SELECT name, now() + interval '1 minute', 'manual', 'test', now() + interval '1 minute', now() + interval '1 minute', 'broke' FROM jobs LIMIT 1`
	if _, err := conn.Exec(t.Context(), fail); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := p.try("doctor"); code != 1 || !strings.Contains(line(out, "jobs"), "failed: ") || !strings.Contains(line(out, "jobs"), "corrosion jobs run") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
