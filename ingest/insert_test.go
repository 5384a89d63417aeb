package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestCompressionTo(t *testing.T) {
	f := func(want ch.Compression, name string, addrs ...string) {
		t.Helper()
		if got := compressionTo(addrs, name); got != want {
			t.Errorf("%s to %v is %v, want %v", name, addrs, got, want)
		}
	}
	f(ch.CompressionDisabled, "auto", "127.0.0.1:9000")
	f(ch.CompressionDisabled, "auto", "localhost:9000", "[::1]:9000")
	f(ch.CompressionLZ4, "auto", "127.0.0.1:9000", "10.1.2.3:9000")
	f(ch.CompressionLZ4, "auto", "clickhouse.internal:9000")
	f(ch.CompressionZSTD, "zstd", "127.0.0.1:9000")
}

func testInserter(t *testing.T, url, compression string) *inserter {
	t.Helper()
	c := DefaultConfig()
	c.ClickHouseURL, c.Compression, c.InsertTimeout = url, compression, 2*time.Second
	i, err := newInserter(c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close)
	return i
}

func testLedger(t testing.TB, url string) *ledger {
	t.Helper()
	c := DefaultConfig()
	c.ClickHouseURL = url
	link, err := newLink(&c)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{link: link, instance: uuid.NewString()}
	t.Cleanup(l.close)
	return l
}

// licensedBatch is rows of one license.
func licensedBatch(license uuid.UUID, rows int) *batch {
	b := newBatch()
	b.id = uuid.NewString()
	for n := range rows {
		s := testSample(n)
		s.License, s.TS, s.Epoch, s.Seq, s.Idx = license, time.Now().UnixMilli(), uint64(license.ID()), uint64(n)+1, 0
		b.Append(&s)
		b.owe(receipt{epoch: s.Epoch, seq: s.Seq, first: n, rows: 1}, time.Now())
	}
	return b
}

func rowsOf(t *testing.T, url string, license uuid.UUID) (rows uint64) {
	t.Helper()
	err := schematest.Connect(t, url).QueryRow(t.Context(), "SELECT count() FROM corrosion.samples WHERE license_id = ?", license).Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The batch's columns must be what the server says its table has, for each way of encoding them.
func TestInsertCompressions(t *testing.T) {
	url := schematest.ClickHouseURL(t)
	for _, compression := range []string{"none", "lz4", "zstd"} {
		license := uuid.New()
		if err := testInserter(t, url, compression).insert(t.Context(), licensedBatch(license, 1000)); err != nil {
			t.Fatal(compression, err)
		}
		if n := rowsOf(t, url, license); n != 1000 {
			t.Errorf("%s: %d rows, want 1000", compression, n)
		}
	}
}

// The same batch sent twice to a server that kept running is stored once, in the table and in the view.
func TestInsertAgainStoresOnce(t *testing.T) {
	url := schematest.ClickHouseURL(t)
	license := uuid.New()
	i, b := testInserter(t, url, "none"), licensedBatch(license, 100)
	for range 3 {
		// ClickHouse refuses the id while it is still putting the INSERT before away; the pipeline tries again, too.
		localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error { return i.insert(t.Context(), b) })
		i.close()
		b.attempt.done = false // as if the answer had been lost
	}
	if n := rowsOf(t, url, license); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
	var hourly uint64
	err := schematest.Connect(t, url).QueryRow(t.Context(), "SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ?", license).Scan(&hourly)
	if err != nil || hourly != 100 {
		t.Errorf("%d samples in the hours (%v), want 100", hourly, err)
	}
	if b.attempt.renewed != 0 {
		t.Errorf("the token was given up %d times", b.attempt.renewed)
	}
}

// After a restart the token proves nothing: the batch goes under a new one, and is there.
func TestInsertAfterRestartTakesAnotherToken(t *testing.T) {
	ch := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), ch.URL()); err != nil {
		t.Fatal(err)
	}
	license := uuid.New()
	i, b := testInserter(t, ch.URL(), "none"), licensedBatch(license, 100)
	if err := i.insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	first := b.token()
	b.attempt.done = false
	ch.Kill(t)
	if err := i.insert(t.Context(), b); err == nil {
		t.Fatal("inserted into a dead server")
	}
	ch.Start(t)
	if err := i.insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if b.token() == first || b.attempt.skipped != 100 {
		t.Errorf("token %s after %s, %d rows skipped: want another token and nothing sent again", b.token(), first, b.attempt.skipped)
	}
	if n := rowsOf(t, ch.URL(), license); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
}

func TestInsertErrorsAreClassified(t *testing.T) {
	url := schematest.ClickHouseURL(t)
	i := testInserter(t, url, "none")
	b := licensedBatch(uuid.New(), 1)
	i.fence = insertFence{"INSERT INTO corrosion.samples (no_such_column) SELECT 1 WHERE 0 > ", " AND 0 > ", ""}
	if err := i.insert(t.Context(), b); !errors.Is(err, errRefused) {
		t.Errorf("a missing column gives %v, want a refusal", err)
	}
	i.fence = insertFence{"INSERT INTO corrosion.no_such_table (a) SELECT 1 WHERE 0 > ", " AND 0 > ", ""}
	if err := i.insert(t.Context(), b); err == nil || errors.Is(err, errRefused) {
		t.Errorf("a missing table gives %v, want an error that passes: migrations may come", err)
	}
	proxy := localtest.NewProxy(t, hostOf(t, url))
	i = testInserter(t, through(t, url, proxy), "none")
	proxy.Stall()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := i.insert(ctx, b); err == nil || errors.Is(err, errRefused) {
		t.Errorf("a silent server gives %v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("a silent server held the insert for %s", took)
	}
	_, err := newInserter(Config{ClickHouseURL: "clickhouse://user:secret@:bad port"}, time.Now)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a bad URL gives %v", err)
	}
}
