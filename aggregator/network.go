package aggregator

import (
	"context"
	"fmt"
	"time"
)

// writeNetwork writes network_hourly's hours from their rows. The one-minute total is the sum over servers of each
// server's mean in that minute; an hour with fewer rows than it was written from has lost some and stays as it is.
const writeNetwork = `INSERT INTO corrosion.network_hours (license_id, hour, peak_players, peak_at, avg_players, servers_reporting, samples, version)
SELECT counts.license_id, counts.hour, totals.peak, totals.at, totals.mean, counts.servers, counts.samples, toUnixTimestamp64Micro(now64(6))
FROM (
	SELECT license_id, toStartOfHour(ts) AS hour, uniqExact(server_id) AS servers, count() AS samples
	FROM corrosion.samples WHERE %[1]s GROUP BY license_id, hour
) AS counts
LEFT JOIN (
	SELECT license_id, toStartOfHour(minute) AS hour, max(total) AS peak, argMax(minute, (total, -toInt64(toUnixTimestamp(minute)))) AS at, avg(total) AS mean
	FROM (
		SELECT license_id, minute, sum(mean_players) AS total
		FROM (
			SELECT license_id, server_id, toStartOfMinute(ts) AS minute, avg(assumeNotNull(players)) AS mean_players
			FROM corrosion.samples WHERE %[1]s AND isNotNull(players) GROUP BY license_id, server_id, minute
		) GROUP BY license_id, minute
	) GROUP BY license_id, hour
) AS totals ON counts.license_id = totals.license_id AND counts.hour = totals.hour
LEFT JOIN (SELECT license_id, hour, max(samples) AS written FROM corrosion.network_hours FINAL WHERE toDate(hour) = '%[2]s' GROUP BY license_id, hour) AS known
	ON counts.license_id = known.license_id AND counts.hour = known.hour
WHERE counts.samples >= ifNull(known.written, 0) OR counts.hour >= toDateTime(%[3]d, 'UTC')
SETTINGS join_use_nulls = 1`

// network writes the hours' totals over servers, of all shards. The open hour is written, too, as it is by now, and again by the next
// pass.
func (p *pass) network(ctx context.Context, day time.Time, hours []hourKey) error {
	for len(hours) > 0 {
		n := min(len(hours), compareAtOnce)
		s := scope{day: day, hours: hours[:n]}
		hours = hours[n:]
		statement := fmt.Sprintf(writeNetwork, s.rowFilter(), day.Format(time.DateOnly), p.horizon.Unix())
		if err := p.deps.ClickHouse.Exec(heavy(ctx), statement); err != nil {
			return fmt.Errorf("write network_hourly of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}
