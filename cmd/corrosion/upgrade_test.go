package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jackc/pgx/v5"

	"corrosion/deploy/local"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// What an earlier program wrote, with its columns in its order.
var (
	//go:embed testdata/upgrade/insert_samples.sql
	oldInsert string
	//go:embed testdata/upgrade/accounts.sql
	oldAccounts string
)

// oldSchema is where the stores of that program were.
var oldSchema = schema.Versions{ClickHouse: 12, Postgres: 17}

const oldLicense = "00000000-0000-4000-8000-00000000001d"

// A data directory of an earlier program is brought to the newest schema while that program still writes, both then write
// side by side, and nothing is lost: neither a row nor what rollups say of it.
func TestUpgradeOfARunningPlatform(t *testing.T) {
	data := t.TempDir()
	written := upgradeOnline(t, data)
	p := startPlatformOn(t, data)
	conn := schematest.Connect(t, p.ClickHouseNative)
	written += writeOld(t, conn, 1_000_000) // one of the old that is left
	p.corrosion("jobs", "run", "verify-all")
	var rows, different, hourly, ofLicense, metrics uint64
	err := conn.QueryRow(t.Context(), `SELECT (SELECT count() FROM corrosion.samples), (SELECT uniqExact(seq, idx) FROM corrosion.samples),
		(SELECT sum(samples) FROM corrosion.samples_hourly), (SELECT sum(samples) FROM corrosion.license_hourly), (SELECT sum(count) FROM corrosion.metrics_hourly)`).
		Scan(&rows, &different, &hourly, &ofLicense, &metrics)
	if err != nil {
		t.Fatal(err)
	}
	if got := [5]uint64{rows, different, hourly, ofLicense, metrics}; got != [5]uint64{written, written, written, written, written} {
		t.Errorf("rows, different ones, in hours, in hours of the license, metrics: %d, want %d of each", got, written)
	}
	token := strings.TrimSpace(p.corrosion("token", "--license", oldLicense))
	var summary struct {
		Samples uint64 `json:"samples"`
	}
	if status, body := p.get(token, "/api/analytics/summary", nil, &summary); status != 200 || summary.Samples != written {
		t.Errorf("the summary counts %d of %d samples: %d %s", summary.Samples, written, status, body)
	}
	if quota := p.corrosion("license", "quota", "--license", oldLicense); !strings.Contains(quota, "5000") {
		t.Errorf("the license's quota is %s", quota)
	}
}

// upgradeOnline makes a data directory of before, and migrates it while the old program writes. It gives how many rows
// that wrote.
func upgradeOnline(t *testing.T, data string) (written uint64) {
	t.Helper()
	config := local.DefaultConfig()
	config.DataDir = data
	stack, err := local.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stack.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	at := stack.Endpoints()
	if err := schema.MigrateTo(t.Context(), at.ClickHouseNative, at.Postgres, oldSchema); err != nil {
		t.Fatal(err)
	}
	postgres, err := pgx.Connect(t.Context(), at.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close(context.WithoutCancel(t.Context()))
	if _, err := postgres.Exec(t.Context(), oldAccounts); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, at.ClickHouseNative)
	written = writeOld(t, conn, 1)
	var stop atomic.Bool
	during := make(chan uint64)
	go func() { // ends with stop
		var rows uint64
		for seq := uint64(2); !stop.Load() && !t.Failed(); seq++ {
			rows += writeOld(t, conn, seq)
		}
		during <- rows
	}()
	applied, err := schema.Migrate(t.Context(), at.ClickHouseNative, at.Postgres)
	stop.Store(true)
	written += <-during
	if err != nil || applied == 0 {
		t.Fatalf("%d migrations applied: %v", applied, err)
	}
	if _, err := postgres.Exec(t.Context(), strings.ReplaceAll(oldAccounts, "0aa'", "0bb'")); err == nil {
		t.Error("the same email was written twice")
	}
	if _, err := postgres.Exec(t.Context(), "UPDATE license_quotas SET samples_per_second = 5000"); err != nil {
		t.Error("an old statement after the migration:", err)
	}
	return written
}

// writeOld stores a batch as the old program did: under one token, again until it is acknowledged.
func writeOld(t *testing.T, conn driver.Conn, seq uint64) (rows uint64) {
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": fmt.Sprintf("corrosion-ingest-old-%d", seq), "deduplicate_blocks_in_dependent_materialized_views": 1, "optimize_on_insert": 0,
	}))
	var err error
	for range 20 {
		if err = conn.Exec(ctx, oldInsert, seq, seq); err == nil {
			return 100
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the old program's insert: %v", err)
	return 0
}
