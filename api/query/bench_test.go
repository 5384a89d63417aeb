package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"corrosion/schema/schematest"
)

// fillDay stores a day of servers that publish every 10 s, generated where it is stored; one INSERT for 50 servers.
const fillDay = `INSERT INTO corrosion.samples (license_id, server_id, ts, n, boot, players, max_players, queued, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, epoch, seq, idx, received_at)
SELECT
    {license:UUID}, concat('server-', leftPad(toString(server), 4, '0')), fromUnixTimestamp64Milli({from:Int64} + k * 10000 + server % 7 * 1000 + rand(1) % 400, 'UTC') AS at, k,
    concat('boot-', toString(intDiv(k, 5000 + server * 3))), 50 + 40 * sin(k / 1400) + rand(2) % 9, 200, rand(3) % 3, 50 + (rand(4) % 1000) / 60, 15 + (rand(5) % 1000) / 200,
    100000 + server * 10 + rand(6) % 1000, 6000 + k / 100, 40 + (rand(7) % 1000) / 30, 10000 + rand(8) % 1000, 40000 + rand(9) % 9000, k % (5000 + server * 3) * 10, 1, k, server, at
FROM (SELECT {first:UInt64} + intDiv(number, 8640) AS server, number % 8640 AS k FROM numbers(50 * 8640))`

// go test ./api/query -run '^$' -bench Engine -benchtime 20x
//
// A day of 50, 200 and 1,000 servers at 10 s (8.6 M samples); the first sizes show how the time grows.
func BenchmarkEngine(b *testing.B) {
	conn := schematest.ClickHouse(b)
	now := time.Now()
	for _, servers := range []int{50, 200, 1000} {
		license := uuid.New()
		for first := 0; first < servers; first += 50 {
			err := conn.Exec(b.Context(), fillDay, clickhouse.Named("license", license.String()), clickhouse.Named("from", now.Add(-day).UnixMilli()), clickhouse.Named("first", first))
			if err != nil {
				b.Fatal(err)
			}
		}
		engine := New(conn, DefaultConfig(), func() time.Time { return now })
		scope, lastDay := Scope{License: license}, Range{now.Add(-day), now}
		one := Scope{License: license, Servers: []string{"server-0007"}}
		b.Run(fmt.Sprintf("servers=%d/summary", servers), func(b *testing.B) {
			for b.Loop() {
				if _, err := engine.Summary(b.Context(), SummaryRequest{scope, lastDay}); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, c := range []struct {
			name    string
			request TimeseriesRequest
		}{
			{"players/avg/5m", TimeseriesRequest{Scope: scope, Metrics: []string{"players"}}},
			{"fps/p95/5m", TimeseriesRequest{Scope: scope, Metrics: []string{"fps"}, Agg: P95}},
			{"players/avg/1h", TimeseriesRequest{Scope: scope, Metrics: []string{"players"}, Step: time.Hour}},
			{"fps/p95/1h", TimeseriesRequest{Scope: scope, Metrics: []string{"fps"}, Agg: P95, Step: time.Hour}},
			{"one/players/avg/5m", TimeseriesRequest{Scope: one, Metrics: []string{"players"}}},
		} {
			c.request.Range = lastDay
			b.Run(fmt.Sprintf("servers=%d/%s", servers, c.name), func(b *testing.B) {
				for b.Loop() {
					if _, err := engine.Timeseries(b.Context(), c.request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
