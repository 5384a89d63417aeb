package move

// table is how a table is copied and compared.
type table struct {
	name string
	// by is what a row's shard is told by.
	by string
	// figures are whole numbers that a copy must have, too, however its rows have merged; the first is the one that grows.
	figures string
	// final reads rows as they stand once they have merged.
	final bool
}

const (
	byServer  = "cityHash64(license_id, server_id)"
	byLicense = "cityHash64(license_id)"
)

// tables are what is copied, in this order. Ids of the last minutes and rollups that are computed anew are not.
func tables() []table {
	return []table{
		{name: "samples", by: byServer, figures: "count(), sum(seq), sum(players), sum(toUnixTimestamp64Milli(ts)), uniqExact(license_id, server_id)"},
		{name: "samples_hourly", by: byServer, figures: "sum(samples), sum(players_count), sum(players_sum), sum(uptime_s_sum), uniqExact(license_id, server_id, hour)"},
		{name: "metrics_hourly", by: byServer, figures: "sum(count), uniqExact(license_id, metric, server_id, hour), toInt64(bitCount(groupBitOr(minutes))), toInt64(0), toInt64(0)"},
		{name: "network_hours", by: byLicense, final: true, figures: "count(), sum(samples), sum(servers_reporting), toInt64(0), toInt64(0)"},
		{name: "event_log", by: byLicense, final: true, figures: "count(), sum(version), sum(length(title)), sum(toUnixTimestamp64Milli(ts)), toInt64(0)"},
		{name: "ingest_log", by: byLicense, figures: "sum(count), sum(bytes), uniqExact(license_id, minute, outcome), toInt64(0), toInt64(0)"},
		{name: "server_seen", by: byServer, final: true, figures: "count(), sum(toUnixTimestamp64Milli(last_seen)), -sum(toUnixTimestamp64Milli(first_seen)), toInt64(0), toInt64(0)"},
	}
}

// derived is a rollup of whole licenses, which each shard makes from its own rows.
type derived struct {
	name, time string
	// from is the table that it is made of, fromTime its time, and counted how many samples a row of it stands for.
	from, fromTime, counted string
	// view is the one whose SELECT says how, over samples; empty: columns of the same names are put together.
	view string
}

func deriveds() []derived {
	return []derived{
		{name: "license_hourly", time: "hour", from: "samples_hourly", fromTime: "hour", counted: "sum(samples)"},
		{name: "license_minutely", time: "minute", from: "samples", fromTime: "ts", counted: "count()", view: "license_minutely_mv"},
	}
}
