package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
)

// Retention is changed by command; shrinking says what would be lost and waits for --yes; serve and migrate do not shrink.
func TestRetentionByCommand(t *testing.T) {
	p := startPlatform(t, "--retention-raw", "3")
	show := func() string { return strings.Join(strings.Fields(p.corrosion("retention", "show")), " ") }
	if got := show(); !strings.Contains(got, "samples raw 7d") || !strings.Contains(p.log.String(), "corrosion retention set --raw 3d --hourly 90d") {
		t.Errorf("serve shrank, or did not say what to run:\n%s\n%s", got, p.log)
	}
	p.corrosion("retention", "set", "--raw", "14d", "--hourly", "120d")
	if got := show(); !strings.Contains(got, "samples raw 14d") || !strings.Contains(got, "samples_hourly hourly 120d") || !strings.Contains(got, "metrics_hourly hourly 120d") || !strings.Contains(got, "network_hours hourly 120d") {
		t.Errorf("after set:\n%s", got)
	}
	insert := "INSERT INTO corrosion.samples (license_id, server_id, ts, received_at) SELECT generateUUIDv4(), 's', now() - INTERVAL 10 DAY, now() - INTERVAL 10 DAY FROM numbers(5)"
	if _, err := runSQL(t.Context(), p.ClickHouseHTTP, "TSV", insert, nil, p.log); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := p.try("retention", "set", "--raw", "5d")
	if lost := strings.Join(strings.Fields(out), " "); code != 1 || !strings.Contains(lost, "samples 14d 5d 5 20") || !strings.Contains(stderr, "--raw 5d --hourly 120d --yes") {
		t.Errorf("shrinking without --yes: exit %d\n%s%s", code, out, stderr)
	}
	if code, _, stderr := p.try("migrate", "--retention-raw", "5"); code != 1 || !strings.Contains(stderr, "corrosion retention set --raw 5d --hourly 120d") {
		t.Errorf("migrate shrank: exit %d %s", code, stderr)
	}
	if code, _, stderr := p.try("retention", "set", "--hourly", "13d", "--yes"); code != 1 || !strings.Contains(stderr, "hourly from raw") {
		t.Errorf("hours shorter than raw: exit %d %s", code, stderr)
	}
	if got := show(); !strings.Contains(got, "samples raw 14d") {
		t.Errorf("a refusal changed the tables:\n%s", got)
	}
	p.corrosion("retention", "set", "--raw", "5d", "--yes")
	p.corrosion("migrate")
	localtest.CheckFor(t, time.Minute, 200*time.Millisecond, func() error { // a verification may hold the lock
		if code, _, stderr := p.try("jobs", "run", "retention"); code != 0 {
			return errors.New(stderr)
		}
		return nil
	})
	if got := p.sql("SELECT count() FROM corrosion.samples"); got != "0" {
		t.Errorf("%s rows are left", got)
	}
	if got := show(); !strings.Contains(got, "samples raw 5d") {
		t.Errorf("after shrinking:\n%s", got)
	}
}
