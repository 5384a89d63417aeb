package query

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// fillRaw stores samples of servers that publish every so many seconds over [from_s, from_s + steps * every), generated where they are
// stored: days that swing, noise, restarts after a day or so. The views fill the rollups.
const fillRaw = `INSERT INTO corrosion.samples (license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, epoch, seq, idx, received_at)
WITH
    intDiv(number, {steps:UInt64}) AS server, {from_s:Int64} + number % {steps:UInt64} * {every:UInt64} AS second, intHash64(number * 7919 + {from_s:Int64}) AS noise,
    80000 + server * 7919 % 30000 AS life, (1 + sin(second * 2 * pi() / 86400 + server % 7)) / 2 AS tide
SELECT
    {license:UUID}, concat('server-', leftPad(toString(server), 5, '0')), fromUnixTimestamp64Milli(second * 1000 + server * 37 % 9000 + noise % 300, 'UTC') AS at,
    intDiv(second % life, {every:UInt64}), concat('boot-', toString(intDiv(second, life))),
    toUInt32(5 + server % 30 + (40 + server % 50) * tide + noise % 3), 100 + server % 4 * 50, toUInt32(tide > 0.9 ? noise % 12 : 0), noise % 50 = 0 ? 1 : 0, toUInt32(200 + server % 90 + 50 * tide),
    60 - 12 * tide - (noise % 257) / 64, 16.6 + 5 * tide + (noise % 511) / 128, toUInt32(100000 + server * 10 + second % life), round(6000 + second % life / 30 + noise % 50 / 7, 2), round(35 + 40 * tide + noise % 1000 / 90, 1),
    toUInt64(20000 + 90000 * tide + noise % 4096), toUInt64(90000 + 400000 * tide + noise % 16384), toUInt32(second % life), 'Procedural Map', '2592.241.1', 1, number, 0, at
FROM numbers({servers:UInt64} * {steps:UInt64})`

// fillHours stores the states of hours whose raw samples are long gone, made directly: 360 samples an hour, every minute.
const fillHours = `INSERT INTO corrosion.samples_hourly
WITH
    intDiv(number, {hours:UInt64}) AS server, {from_s:Int64} + number % {hours:UInt64} * 3600 AS second, intHash64(number + {from_s:Int64}) AS noise,
    80000 + server * 7919 % 30000 AS life, (1 + sin(second * 2 * pi() / 86400 + server % 7)) / 2 AS tide,
    bitShiftLeft(toUInt128(second + 3599) * 1000, 80) AS place,
    arrayMap(i -> toNullable(60 - 12 * tide - (noise + i * 37) % 257 / 64), range(60)) AS frames, arrayMap(i -> toNullable(16.6 + 5 * tide + (noise + i * 53) % 511 / 128), range(60)) AS times
SELECT
    {license:UUID}, concat('server-', leftPad(toString(server), 5, '0')), toDateTime(second, 'UTC'), 360,
    FIELDS
    arrayReduce('quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)', frames), arrayReduce('quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)', times),
    toUInt64(1152921504606846975), [cityHash64(concat('boot-', toString(intDiv(second, life))))], [toUInt32(intDiv(second - second % life, 10))]
FROM numbers({servers:UInt64} * {hours:UInt64})`

// hourFields are the states of one field each, in the table's order; the value is the hour's mean.
func hourFields() (list string) {
	for _, f := range []struct{ value, kind, sum string }{
		{"5 + server % 30 + (40 + server % 50) * tide", "UInt32", "UInt64"}, {"100 + server % 4 * 50", "UInt32", "UInt64"}, {"tide > 0.9 ? 6 : 0", "UInt32", "UInt64"},
		{"noise % 2", "UInt32", "UInt64"}, {"200 + server % 90 + 50 * tide", "UInt32", "UInt64"}, {"60 - 12 * tide", "Float64", "Float64"}, {"18.6 + 5 * tide", "Float64", "Float64"},
		{"100000 + server * 10 + second % life", "UInt32", "UInt64"}, {"6000 + second % life / 30", "Float64", "Float64"}, {"40 + 40 * tide", "Float64", "Float64"},
		{"20000 + 90000 * tide", "UInt64", "UInt64"}, {"90000 + 400000 * tide", "UInt64", "UInt64"}, {"second % life", "UInt32", "UInt64"},
	} {
		list += fmt.Sprintf("360, CAST((%[1]s) * 360, '%[3]s'), CAST((%[1]s) * 0.8, '%[2]s'), CAST((%[1]s) * 1.2, '%[2]s'), arrayReduce('argMaxState', [CAST(%[1]s, 'Nullable(%[2]s)')], [place]),\n    ", f.value, f.kind, f.sum)
	}
	return list
}

// network is a license of the benchmark and how many servers it has.
type network struct {
	license uuid.UUID
	servers int
}

// benchFill is what is stored: raw samples of the days before now, then hours.
type benchFill struct {
	conn              driver.Conn
	now               time.Time
	rawDays, hourDays int
	// denseDays are how many of the days with samples have one every 10 s; those before have one a minute.
	denseDays int
	// until is when to stop; the next run goes on from there.
	until time.Time
}

func (f benchFill) exec(ctx context.Context, query string, args ...any) error {
	settings := clickhouse.Settings{"max_insert_threads": 2, "max_execution_time": 0, "max_block_size": 65536, "max_insert_block_size": 262144, "max_partitions_per_insert_block": 0}
	return f.conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), query, args...)
}

// copyHours stores a day's hours again, up to so many days earlier, with boots and starts of their own.
const copyHours = `INSERT INTO corrosion.samples_hourly
SELECT * EXCEPT (days, earlier, other_boots, other_starts) REPLACE (earlier AS hour, other_boots AS boots, other_starts AS starts)
FROM
(
    SELECT *, arrayJoin(range(1, {days:UInt16})) AS days, hour - toIntervalDay(days) AS earlier,
        arrayMap(boot -> boot - days, boots) AS other_boots, arrayMap(start -> toUInt32(start - 8640 * days), starts) AS other_starts
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({from_s:Int64}, 'UTC') AND hour < toDateTime({from_s:Int64} + 86400, 'UTC')
)`

// hours fills the hours before raw, one day and then its copies, and the license's own from them.
func (f benchFill) hours(t testing.TB, n network) {
	t.Helper()
	newest := f.rawFrom().Add(-day)
	args := []any{clickhouse.Named("license", n.license.String()), clickhouse.Named("servers", n.servers), clickhouse.Named("from_s", newest.Unix()), clickhouse.Named("hours", 24)}
	if err := f.exec(t.Context(), strings.Replace(fillHours, "FIELDS", hourFields(), 1), args...); err != nil {
		t.Fatal(err)
	}
	if err := f.exec(t.Context(), copyHours, append(args, clickhouse.Named("days", f.hourDays-f.rawDays))...); err != nil {
		t.Fatal(err)
	}
	f.licenseHours(t, n)
}

func (f benchFill) rawFrom() time.Time {
	return f.now.Truncate(time.Hour).Add(-time.Duration(f.rawDays) * day)
}

// raw fills the samples of all licenses in order of time from a moment on, less and less with one INSERT.
func (f benchFill) raw(t testing.TB, networks []network, from time.Time) {
	t.Helper()
	begun := time.Now()
	for from.Before(f.now) {
		if time.Now().After(f.until) {
			t.Skipf("filled until %s so far: run it again", from.Format(time.RFC3339))
		}
		width := widthOf(f.now.Sub(from))
		every := f.every(from)
		for _, n := range networks {
			err := f.exec(t.Context(), fillRaw, clickhouse.Named("license", n.license.String()), clickhouse.Named("servers", n.servers),
				clickhouse.Named("from_s", from.Unix()), clickhouse.Named("every", int(every.Seconds())), clickhouse.Named("steps", int(width/every)))
			if err != nil {
				t.Fatal(err)
			}
		}
		if from = from.Add(width); width >= time.Hour && from.Hour() < 3 {
			fmt.Printf("filled until %s in %s; load %s\n", from.Format(time.RFC3339), time.Since(begun).Round(time.Second), loadAverage())
		}
	}
}

// every is how far apart the samples from a moment on are.
func (f benchFill) every(from time.Time) time.Duration {
	if f.now.Sub(from) > time.Duration(f.denseDays)*day+2*time.Hour {
		return time.Minute
	}
	return 10 * time.Second
}

// widthOf is how much of what is left comes with one INSERT: less and less, as the parts of a live table lie.
func widthOf(left time.Duration) time.Duration {
	for _, width := range []time.Duration{3 * time.Hour, time.Hour, 10 * time.Minute, time.Minute} {
		if left > width+width/6 {
			return width
		}
	}
	return 10 * time.Second
}

// licenseHours merges the servers' hours, which were not made from samples, into the license's.
func (f benchFill) licenseHours(t testing.TB, n network) {
	t.Helper()
	var columns string
	err := f.conn.QueryRow(t.Context(), `SELECT arrayStringConcat(groupArray(multiIf(
			type LIKE 'SimpleAggregateFunction(%', concat(extract(type, '\\((\\w+),'), '(h.', name, ')'),
			type LIKE 'AggregateFunction(argMax%', concat('argMaxMergeState(h.', name, ')'),
			type LIKE 'AggregateFunction(%', concat('quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(h.', name, ')'), concat('h.', name))), ', ')
		FROM (SELECT name, type FROM system.columns WHERE database = 'corrosion' AND table = 'license_hourly' ORDER BY position)`).Scan(&columns)
	if err != nil {
		t.Fatal(err)
	}
	query := "INSERT INTO corrosion.license_hourly SELECT " + columns + " FROM corrosion.samples_hourly AS h WHERE license_id = {license:UUID} GROUP BY license_id, hour"
	if err := f.exec(t.Context(), query, clickhouse.Named("license", n.license.String())); err != nil {
		t.Fatal(err)
	}
}
