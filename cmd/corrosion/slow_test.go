package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
)

// A slow statement stands in the log by its name and time; what it was asked with does not.
func TestSlowQueriesAreLogged(t *testing.T) {
	var out lockedBuffer
	slow := slowLog{from: 50 * time.Millisecond, log: slog.New(slog.NewTextHandler(&out, nil))}
	pool, err := newPool(t.Context(), localtest.PostgresURL(t), slow)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, statement := range []string{"SELECT 1 WHERE $1 = 'secret'", "-- name: Sleepy :one\nSELECT 1 FROM pg_sleep(0.1) WHERE $1 = 'secret'", "SELECT 'hidden' FROM pg_sleep(0.1) WHERE $1 <> ''"} {
		if _, err := pool.Exec(t.Context(), statement, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	log := out.String()
	if strings.Count(log, "slow query") != 2 || !strings.Contains(log, "statement=Sleepy") || !strings.Contains(log, "statement=SELECT ") ||
		strings.Contains(log, "secret") || strings.Contains(log, "hidden") {
		t.Errorf("log:\n%s", log)
	}
	slowLog{log: slow.log}.note(context.Background(), "postgres", "Off", time.Hour, nil)
	if strings.Contains(out.String(), "Off") {
		t.Error("0 does not turn it off")
	}
	if _, err := newPool(t.Context(), "postgres://u:hunter2@[::1:bad", slow); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad URL: %v", err)
	}
}
