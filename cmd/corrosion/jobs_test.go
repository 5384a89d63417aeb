package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"corrosion/deploy/local/localtest"
)

// An operator sees what jobs did, runs one by hand, and finds network_hourly written.
func TestJobs(t *testing.T) {
	p := startPlatform(t)
	license, _ := p.license("jobs")
	js := p.publisher()
	at := time.Now().UTC().Truncate(time.Hour).Add(-30 * time.Hour)
	for i := range 60 { // two servers, one sample each a minute: the totals of a minute are 10+i and i
		for server, players := range []int{10, 0} {
			body := fmt.Sprintf(`{"server_id":"s%d","players":%d,"ts":%d}`, server, players+i, at.Add(time.Duration(i)*time.Minute).UnixMilli())
			if _, err := js.Publish(t.Context(), "corrosion."+license+".stats", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.awaitSamples(license, 120)
	if out := p.corrosion("jobs", "run", "verify", "--from", at.Format(time.RFC3339)); !strings.Contains(out, "1 hours checked") {
		t.Errorf("jobs run verify: %s", out)
	}
	got := p.sql("SELECT peak_players, toUnixTimestamp(assumeNotNull(peak_at)), avg_players, servers_reporting, samples FROM corrosion.network_hourly WHERE license_id = '" + license + "'")
	if want := fmt.Sprintf("128\t%d\t69\t2\t120", at.Add(59*time.Minute).Unix()); got != want {
		t.Errorf("network_hourly has %q, want %q", got, want)
	}
	if out := p.corrosion("jobs", "list", "--limit", "5"); !strings.Contains(out, "verify") || !strings.Contains(out, "manual") || !strings.Contains(out, "ok") {
		t.Errorf("jobs does not list the run:\n%s", out)
	}
	var out lockedBuffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
	if code := run(e, []string{"jobs", "--limit", "5", "--data", p.data}); code != 0 || !strings.Contains(out.String(), "verify") {
		t.Errorf("corrosion jobs --limit 5: exit %d\n%s", code, &out)
	}
	for _, wrong := range [][]string{{"jobs", "list", "--limit", "0"}, {"jobs", "run", "dance"}, {"jobs", "run", "verify", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"}} {
		if code, out, _ := p.try(wrong...); code != 1 {
			t.Errorf("%v: exit %d, %s", wrong, code, out)
		}
	}
	if _, body := p.get("", "/metrics", nil, nil); !strings.Contains(body, "corrosion_aggregator_hours_checked_total") {
		t.Error("/metrics has nothing of the aggregator")
	}
}

// A run by hand that meets another one waits for it, says so, and can be told to wait no longer.
func TestJobsRunInTurn(t *testing.T) {
	p := startPlatform(t)
	other, err := pgx.Connect(t.Context(), p.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(hashtext('corrosion jobs'), hashtext($1))", "tables"); err != nil {
		t.Fatal(err)
	}
	start := func() (log *lockedBuffer, stop context.CancelFunc, ended chan int) {
		ctx, stop := context.WithCancel(t.Context())
		log, ended = &lockedBuffer{}, make(chan int, 1)
		e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: log, stderr: log, hurry: make(chan struct{})}
		go func() { ended <- run(e, []string{"jobs", "run", "verify", "--data", p.data}) }()
		localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
			if !strings.Contains(log.String(), "waiting for another run") {
				return fmt.Errorf("it does not say that it waits: %s", log)
			}
			return nil
		})
		return log, stop, ended
	}
	log, stop, ended := start()
	stop()
	if code := <-ended; code == 0 {
		t.Errorf("told to stop waiting: exit 0, want another\n%s", log)
	}
	log, stop, ended = start()
	defer stop()
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 || !strings.Contains(log.String(), "hours checked") {
		t.Errorf("after the other run: exit %d\n%s", code, log)
	}
}
