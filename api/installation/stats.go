package installation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// ClickHouseStats measures servers by the samples that they publish.
type ClickHouseStats struct{ Conn driver.Conn }

const (
	// statsFPS is the median and the count of the frames per second of some servers, from raw samples.
	statsFPS = `SELECT quantileTDigest(0.5)(fps), count(fps) FROM samples
WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
  AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64})`
	// statsServers are the servers that were heard.
	statsServers = `SELECT DISTINCT server_id FROM samples_hourly
WHERE license_id = {license:UUID} AND hour >= toStartOfHour(fromUnixTimestamp64Milli({from:Int64})) AND hour < fromUnixTimestamp64Milli({to:Int64})
ORDER BY server_id LIMIT 20000`
	statsLimit = 20 * time.Second
)

func (s ClickHouseStats) ask(ctx context.Context, name, text string, license uuid.UUID, from, to time.Time, more ...any) (driver.Rows, error) {
	settings := clickhouse.Settings{"log_comment": "api/installation " + name, "max_execution_time": math.Ceil(statsLimit.Seconds())}
	args := slices.Concat(more, []any{clickhouse.Named("license", license.String()),
		clickhouse.Named("from", strconv.FormatInt(from.UnixMilli(), 10)), clickhouse.Named("to", strconv.FormatInt(to.UnixMilli(), 10))})
	rows, err := s.Conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), text, args...)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", name, err)
	}
	return rows, nil
}

// FPS implements Stats.
func (s ClickHouseStats) FPS(ctx context.Context, license uuid.UUID, servers []string, from, to time.Time) (p50 float64, samples uint64, err error) {
	if len(servers) == 0 || !from.Before(to) {
		return math.NaN(), 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statsLimit)
	defer cancel()
	rows, err := s.ask(ctx, "fps", statsFPS, license, from, to, clickhouse.Named("servers", servers))
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	var median *float32
	for rows.Next() {
		if err := rows.Scan(&median, &samples); err != nil {
			return 0, 0, fmt.Errorf("read fps: %w", err)
		}
	}
	if median == nil || samples == 0 {
		return math.NaN(), 0, rows.Err()
	}
	return float64(*median), samples, rows.Err()
}

// Servers implements Stats.
func (s ClickHouseStats) Servers(ctx context.Context, license uuid.UUID, from, to time.Time) (servers []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, statsLimit)
	defer cancel()
	rows, err := s.ask(ctx, "servers", statsServers, license, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var server string
		if err := rows.Scan(&server); err != nil {
			return nil, fmt.Errorf("read servers: %w", err)
		}
		servers = append(servers, server)
	}
	return servers, rows.Err()
}
