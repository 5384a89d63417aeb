// Package schematest gives tests real servers that carry the product's schema.
package schematest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
)

var migrateOnce struct {
	sync.Mutex
	done bool
}

// ClickHouseURL is the native URL of the test process's own ClickHouse, migrated. Tests share it: each works under
// a fresh license.
func ClickHouseURL(t testing.TB) string {
	t.Helper()
	url := localtest.ClickHouseURL(t)
	migrateOnce.Lock()
	defer migrateOnce.Unlock()
	if !migrateOnce.done {
		if _, err := schema.MigrateClickHouse(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		migrateOnce.done = true
	}
	return url
}

// ClickHouseHTTP is the HTTP URL of the same server, credentials included.
func ClickHouseHTTP(t testing.TB) string {
	t.Helper()
	ClickHouseURL(t)
	return localtest.ClickHouse(t).HTTPURL()
}

// ClickHouse is a connection to the same server; it closes with the test.
func ClickHouse(t testing.TB) driver.Conn {
	t.Helper()
	return Connect(t, ClickHouseURL(t))
}

// Connect opens any native ClickHouse URL; the connection closes with the test.
func Connect(t testing.TB, url string) driver.Conn {
	t.Helper()
	conn, err := stores.ClickHouse(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// InsertSamples stores samples as the ingester would, row by row.
func InsertSamples(t testing.TB, conn driver.Conn, samples []schema.Sample) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	batch, err := conn.PrepareBatch(ctx, schema.InsertSamples())
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for i := range samples {
		if err := batch.Append(row(&samples[i])...); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

func row(s *schema.Sample) []any {
	values := []any{s.License, s.ServerID, time.UnixMilli(s.TS).UTC()}
	for f := range schema.NumFields {
		values = append(values, fieldValue(s, f))
	}
	metrics := make(map[string]float64, len(s.Metrics))
	for _, m := range s.Metrics {
		metrics[m.Name] = m.Value
	}
	return append(values, metrics, s.Epoch, s.Seq, s.Idx, time.UnixMilli(s.ReceivedAt).UTC())
}

func fieldValue(s *schema.Sample, f schema.Field) any {
	if !s.Has(f) {
		return nil
	}
	switch f.Info().Kind {
	case schema.Uint32:
		return uint32(s.Uint(f))
	case schema.Uint64:
		return s.Uint(f)
	case schema.Float:
		return s.Float(f)
	default:
		return s.Text(f)
	}
}
