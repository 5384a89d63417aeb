package aggregator

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// world is an aggregator on real servers of its own.
type world struct {
	t    testing.TB
	ch   *localtest.ClickHouseServer
	conn driver.Conn
	url  string
	pool *pgxpool.Pool
	*Aggregator
	seq uint64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, newClickHouse(t))
}

// newWorldOn is one on a ClickHouse that is migrated.
func newWorldOn(t testing.TB, ch *localtest.ClickHouseServer) *world {
	t.Helper()
	w := &world{t: t, url: schematest.PostgresURL(t), ch: ch}
	w.conn = schematest.Connect(t, w.ch.URL())
	var err error
	if w.pool, err = pgxpool.New(t.Context(), w.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	w.Aggregator = w.aggregator()
	return w
}

// newClickHouse has tables that a test may break.
func newClickHouse(t testing.TB) *localtest.ClickHouseServer {
	t.Helper()
	ch := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), ch.URL()); err != nil {
		t.Fatal(err)
	}
	return ch
}

// aggregator makes one more on the same servers.
func (w *world) aggregator() *Aggregator {
	w.t.Helper()
	c := DefaultConfig()
	c.PostgresURL, c.WatchEvery, c.QuietFor = w.url, time.Second, 0
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	a, err := New(c, Deps{Postgres: w.pool, ClickHouse: w.conn, Logger: log})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { a.Close() })
	return a
}

func (w *world) pass() Figures {
	w.t.Helper()
	f, err := w.RunNow(w.t.Context(), verifyJob, Manual, Window{}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// whole looks also at what has been verified.
func (w *world) whole() Figures {
	w.t.Helper()
	f, err := w.RunNow(w.t.Context(), verifyJob, Manual, Window{From: time.Unix(1, 0)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.conn.Exec(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(query, err)
	}
}

func (w *world) number(query string, args ...any) (n uint64) {
	w.t.Helper()
	if err := w.conn.QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(query, err)
	}
	return n
}

// samples makes lifelike rows of some servers, a row every 30 s from a moment on.
func (w *world) samples(rng *rand.Rand, license uuid.UUID, from time.Time, servers, rows int) []schema.Sample {
	var all []schema.Sample
	for server := range servers {
		for i := range rows {
			w.seq++
			at := from.Add(time.Duration(i) * 30 * time.Second)
			s := schema.Sample{License: license, ServerID: fmt.Sprintf("s%d", server), TS: at.UnixMilli(), Epoch: 7, Seq: w.seq, ReceivedAt: at.UnixMilli() + 5}
			s.SetUint(schema.Players, uint64(rng.IntN(200)))
			s.SetUint(schema.UptimeS, uint64(i*30))
			s.SetText(schema.Boot, "b")
			s.SetUint(schema.N, uint64(i))
			if rng.IntN(4) > 0 {
				s.SetFloat(schema.FPS, 30+rng.Float64()*30)
				s.SetFloat(schema.FrameMS, 1000*rng.ExpFloat64())
			}
			if rng.IntN(3) == 0 {
				s.Metrics = append(s.Metrics, schema.Metric{Name: "m" + fmt.Sprint(rng.IntN(3)), Value: math.Pow(10, rng.Float64()*6) * float64(1-2*rng.IntN(2))})
			}
			all = append(all, s)
		}
	}
	return all
}

func (w *world) insert(samples []schema.Sample) { schematest.InsertSamples(w.t, w.conn, samples) }

// off is how many hours of the rollups are not what their rows give, asked in words of the test's own.
func (w *world) off() (off uint64) {
	w.t.Helper()
	off, err := rollupsOff(w.t.Context(), w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return off
}

// licenseOff asks how many rows of a license's own rollup are not what samples give.
func licenseOff(table, column, start string) string {
	return `SELECT countIf(a != b) FROM (
		SELECT k, anyIf(v, side = 1) AS a, anyIf(v, side = 2) AS b FROM (
			SELECT 1 AS side, (license_id, ` + start + `(ts)) AS k, toString((count(), count(players), ifNull(sum(players), 0), count(net_in), count(fps), ifNull(round(sum(fps), 3), 0), min(fps), max(fps),
				argMax(fps, (ts, seq, idx)), argMax(uptime_s, (ts, seq, idx)), max(uptime_s),
				if(count(fps) = 0, [], quantilesBFloat16(0.05, 0.5, 0.95, 0.99)(fps)), if(count(frame_ms) = 0, [], quantilesBFloat16(0.05, 0.5, 0.95, 0.99)(frame_ms)))) AS v
			FROM corrosion.samples GROUP BY k
			UNION ALL
			SELECT 2 AS side, (license_id, ` + column + `) AS k, toString((sum(samples), sum(players_count), sum(players_sum), sum(net_in_count), sum(fps_count), round(sum(fps_sum), 3), min(fps_min), max(fps_max),
				argMaxMerge(fps_last), argMaxMerge(uptime_s_last), max(uptime_s_max),
				if(sum(fps_count) = 0, [], quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch)), if(sum(frame_ms_count) = 0, [], quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch)))) AS v
			FROM corrosion.` + table + ` GROUP BY k
		) GROUP BY k)`
}

// rollupsOff compares counts, sums, extremes, last values, minutes and sketches with GROUP BY over samples.
func rollupsOff(ctx context.Context, conn driver.Conn) (off uint64, err error) {
	for _, query := range []string{
		licenseOff("license_hourly", "hour", "toStartOfHour"), licenseOff("license_minutely", "minute", "toStartOfMinute"),
		`SELECT countIf(a != b) FROM (
			SELECT k, anyIf(v, side = 1) AS a, anyIf(v, side = 2) AS b FROM (
				SELECT 1 AS side, (license_id, server_id, toStartOfHour(ts)) AS k, toString((count(), count(players), ifNull(sum(players), 0), min(players), max(players),
					argMax(players, (ts, seq, idx)), count(fps), ifNull(round(sum(fps), 3), 0), min(fps), max(fps), argMax(fps, (ts, seq, idx)), max(uptime_s), sum(n IS NOT NULL) >= 0,
					groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))), arraySort(groupUniqArrayIf(cityHash64(assumeNotNull(boot)), isNotNull(boot))),
					if(count(fps) = 0, [], quantilesBFloat16(0.05, 0.5, 0.95, 0.99)(fps)), if(count(frame_ms) = 0, [], quantilesBFloat16(0.05, 0.5, 0.95, 0.99)(frame_ms)))) AS v
				FROM corrosion.samples GROUP BY k
				UNION ALL
				SELECT 2 AS side, (license_id, server_id, hour) AS k, toString((sum(samples), sum(players_count), sum(players_sum), min(players_min), max(players_max),
					argMaxMerge(players_last), sum(fps_count), round(sum(fps_sum), 3), min(fps_min), max(fps_max), argMaxMerge(fps_last), max(uptime_s_max), 1,
					groupBitOr(minutes), arraySort(groupUniqArrayArray(boots)),
					if(sum(fps_count) = 0, [], quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch)), if(sum(frame_ms_count) = 0, [], quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch)))) AS v
				FROM corrosion.samples_hourly GROUP BY k
			) GROUP BY k)`,
		`SELECT countIf(a != b) FROM (
			SELECT k, anyIf(v, side = 1) AS a, anyIf(v, side = 2) AS b FROM (
				SELECT 1 AS side, (license_id, name, server_id, toStartOfHour(ts)) AS k, toString((count(), round(sum(x), 3), min(x), max(x), argMax(x, (ts, seq, idx)),
					groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))))) AS v
				FROM corrosion.samples ARRAY JOIN mapKeys(metrics) AS name, mapValues(metrics) AS x GROUP BY k
				UNION ALL
				SELECT 2 AS side, (license_id, metric, server_id, hour) AS k, toString((sum(count), round(sum(sum), 3), min(min), max(max), argMaxMerge(last), groupBitOr(minutes))) AS v
				FROM corrosion.metrics_hourly GROUP BY k
			) GROUP BY k)`,
	} {
		var n uint64
		if err := conn.QueryRow(ctx, query).Scan(&n); err != nil {
			return 0, err
		}
		off += n
	}
	return off, nil
}
