package chaos

import (
	"context"
	"fmt"
	"strings"

	"corrosion/schema"
)

// hourSQL compares one rollup with GROUP BY over the rows: both sides give a key and a text of all values.
const hourSQL = `
SELECT count() AS hours, countIf(kept != counted) AS off, countIf(toUInt64OrZero(extract(kept, '^.(\\d+)')) > toUInt64OrZero(extract(counted, '^.(\\d+)'))) AS over,
	arrayStringConcat(arraySlice(groupArrayIf(concat(key, ': kept ', substring(kept, 1, 60), ' counted ', substring(counted, 1, 60)), kept != counted), 1, 5), '\n') AS examples
FROM (
	SELECT key, anyIf(value, side = 'kept') AS kept, anyIf(value, side = 'counted') AS counted
	FROM (
		SELECT 'counted' AS side, %[1]s AS key, toString(tuple(%[2]s)) AS value
		FROM (
			SELECT *, %[9]sbitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
			FROM corrosion.samples %[3]s
		) GROUP BY %[4]s
		UNION ALL
		SELECT 'kept' AS side, %[5]s AS key, toString(tuple(%[6]s)) AS value FROM corrosion.%[7]s GROUP BY %[8]s
	) GROUP BY key
)`

// verifyRollups counts the hours whose rollup is not what their rows give.
func (v *verifier) verifyRollups(ctx context.Context) error {
	counted, kept := []string{"count()"}, []string{"sum(samples)"}
	for _, f := range schema.MetricFields() {
		counted = append(counted, strings.ReplaceAll("count(f), ifNull(sum(f), 0), min(f), max(f), argMax(f, place)", "(f", "("+f.String()))
		kept = append(kept, strings.ReplaceAll("sum(f_count), sum(f_sum), min(f_min), max(f_max), argMaxMerge(f_last)", "(f_", "("+f.String()+"_"))
	}
	counted = append(counted, "groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts)))")
	kept = append(kept, "groupBitOr(minutes)")
	sql := fmt.Sprintf(hourSQL, "concat(toString(license_id), ' ', server_id, ' ', toString(toStartOfHour(ts)))", strings.Join(counted, ", "), "",
		"license_id, server_id, toStartOfHour(ts)", "concat(toString(license_id), ' ', server_id, ' ', toString(hour))", strings.Join(kept, ", "),
		"samples_hourly", "license_id, server_id, hour", "")
	if err := v.compare(ctx, "samples_hourly", sql, &v.RollupHours, &v.RollupOff, &v.RollupOver); err != nil {
		return err
	}
	sql = fmt.Sprintf(hourSQL, "concat(toString(license_id), ' ', server_id, ' ', toString(toStartOfHour(ts)), ' ', name)",
		"count(), sum(x), min(x), max(x), argMax(x, place)", "ARRAY JOIN mapKeys(metrics) AS name, mapValues(metrics) AS x",
		"license_id, server_id, toStartOfHour(ts), name", "concat(toString(license_id), ' ', server_id, ' ', toString(hour), ' ', metric)",
		"sum(count), sum(sum), min(min), max(max), argMaxMerge(last)", "metrics_hourly", "license_id, server_id, hour, metric", "name, x, ")
	return v.compare(ctx, "metrics_hourly", sql, &v.MetricHours, &v.MetricsOff, &v.MetricsOver)
}

func (v *verifier) compare(ctx context.Context, table, sql string, hours, off, over *uint64) error {
	var examples string
	if err := v.w.conn.QueryRow(ctx, sql).Scan(hours, off, over, &examples); err != nil {
		return fmt.Errorf("compare %s with its rows: %w", table, err)
	}
	if *off > 0 {
		text := fmt.Sprintf("%s: %d of %d hours differ from their rows, %d count too much, e.g. (first the samples, then each field's count, sum, min, max, last)\n%s", table, *off, *hours, *over, examples)
		v.w.t.Log(text)
		v.w.journal.write("rollup", text)
	}
	return nil
}
