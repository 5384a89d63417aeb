package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/schematest"
)

// manySamples fills a license with rows of its own directly in the engine: count rows over servers.
func manySamples(t testing.TB, conn driver.Conn, license uuid.UUID, servers, count int) {
	t.Helper()
	manySamplesFrom(t, conn, license, servers, 0, count)
}

// manySamplesFrom does it from a row on, so that many can be stored bit by bit.
func manySamplesFrom(t testing.TB, conn driver.Conn, license uuid.UUID, servers, from, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := conn.Exec(ctx, fmt.Sprintf(`INSERT INTO corrosion.samples
		(license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb,
		 cpu_percent, net_in, net_out, uptime_s, map, version, epoch, seq, idx, received_at)
		SELECT '%s', concat('server-', toString(number %% %d)), now64(3) - toIntervalSecond(10 * intDiv(number, %d)), intDiv(number, %d), 'boot-1',
		 rand() %% 200, 200, rand(1) %% 10, rand(2) %% 5, rand(3) %% 300, round(30 + rand(4) %% 3000 / 100, 2), round(10 + rand(5) %% 2000 / 100, 3),
		 100000 + rand(6) %% 100000, round(8000 + rand(7) %% 100000 / 100, 2), round(rand(8) %% 14000 / 100, 2), rand(9) %% 1000000,
		 rand(10) %% 1000000, intDiv(number, %d) * 10, 'Procedural Map', '2633', 1, number, 0, now64(3)
		FROM numbers(%d, %d)`, license, servers, servers, servers, servers, from, count))
	if err != nil {
		t.Fatal(err)
	}
}

// bulkOnce guards the 30 MB of CSV that tests share under theirLicense.
var bulkOnce sync.Once

func bulkLicense(t testing.TB, conn driver.Conn) uuid.UUID {
	t.Helper()
	bulkOnce.Do(func() { manySamples(t, conn, theirLicense, 10, 200_000) })
	return theirLicense
}

func TestExportBreaksOffWithTheEngine(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := bulkLicense(t, conn)
	for _, coding := range []string{"identity", "gzip"} {
		response := h.startExport(t, license, "range=6d", coding)
		defer response.Body.Close()
		if _, err := io.CopyN(io.Discard, response.Body, 64<<10); err != nil {
			t.Fatal(err)
		}
		killExports(t, conn, license)
		rest, err := io.ReadAll(response.Body)
		if err == nil {
			t.Errorf("%s: the file looks complete: %d bytes, trailer %v", coding, len(rest), response.Trailer)
		}
		if bytes.Contains(rest, []byte("exception")) || bytes.Contains(rest, []byte("DB::")) {
			t.Errorf("%s: the engine's words are in the file", coding)
		}
	}
	localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
		if a := h.get(t, "/metrics", ""); !strings.Contains(a.body, "corrosion_exports_broken_total 2") {
			return fmt.Errorf("broken exports are not counted")
		}
		return nil
	})
}

func (h *harness) startExport(t testing.TB, license uuid.UUID, query, coding string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/api/analytics/export?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.token(t, license, auth.Viewer))
	request.Header.Set("Accept-Encoding", coding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s %s", response.Status, text)
	}
	return response
}

func killExports(t testing.TB, conn driver.Conn, license uuid.UUID) {
	t.Helper()
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if runningExports(t, conn) == 0 {
			return fmt.Errorf("no export runs")
		}
		return nil
	})
	if err := conn.Exec(t.Context(), "KILL QUERY WHERE query_id LIKE 'export-%' SYNC"); err != nil {
		t.Fatal(err)
	}
}

func runningExports(t testing.TB, conn driver.Conn) (count uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query_id LIKE 'export-%'").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestExportEndsWithItsClient(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := bulkLicense(t, conn)
	response := h.startExport(t, license, "range=6d", "identity")
	if _, err := io.CopyN(io.Discard, response.Body, 64<<10); err != nil {
		t.Fatal(err)
	}
	if runningExports(t, conn) == 0 {
		t.Fatal("the export is over before its client went away")
	}
	response.Body.Close()
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		if n := runningExports(t, conn); n != 0 {
			return fmt.Errorf("%d exports still run", n)
		}
		if !strings.Contains(h.get(t, "/metrics", "").body, "corrosion_exports 0") {
			return fmt.Errorf("its place is not free")
		}
		return nil
	})
}

func TestExportsAtOnce(t *testing.T) {
	conn := schematest.ClickHouse(t)
	h := open(t, clickHouseHTTP(t), func(c *Config, _ *Deps) { c.MaxLicenseExports = 1 })
	license := bulkLicense(t, conn)
	response := h.startExport(t, license, "range=6d", "identity")
	defer response.Body.Close()
	a := h.get(t, "/api/analytics/export", h.token(t, license, auth.Viewer))
	a.problem(t, 429, "too-many-exports")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if other := h.get(t, "/api/analytics/export?range=1m", h.token(t, ourLicense, auth.Viewer)); other.StatusCode != 200 {
		t.Errorf("another license: %d", other.StatusCode)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if a := h.get(t, "/api/analytics/export?range=1m", h.token(t, license, auth.Viewer)); a.StatusCode != 200 {
			return fmt.Errorf("%d", a.StatusCode)
		}
		return nil
	})
}

func TestCloseBreaksWhatDoesNotEnd(t *testing.T) {
	conn := schematest.ClickHouse(t)
	h := open(t, clickHouseHTTP(t), func(c *Config, _ *Deps) { c.ShutdownTimeout = 50 * time.Millisecond })
	license := bulkLicense(t, conn)
	response := h.startExport(t, license, "range=6d", "identity")
	defer response.Body.Close()
	if err := h.Close(); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("close: %v", err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Error("the file looks complete")
	}
	h.listener = nil
}

// newLicense is a fresh license that may ask.
func (h *harness) newLicense() uuid.UUID {
	license := uuid.New()
	h.deps.Licenses.(fakeLicenses)[license] = LicenseActive
	return license
}

func TestExportLetsGoOfAStalledClient(t *testing.T) {
	conn := schematest.ClickHouse(t)
	h := open(t, clickHouseHTTP(t), func(c *Config, _ *Deps) { c.WriteTimeout = 200 * time.Millisecond })
	response := h.startExport(t, bulkLicense(t, conn), "range=6d", "identity")
	defer response.Body.Close()
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		if !strings.Contains(h.get(t, "/metrics", "").body, "corrosion_exports 0") {
			return fmt.Errorf("the client that reads nothing still holds its place")
		}
		return nil
	})
	if _, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Error("the file looks complete")
	}
}
