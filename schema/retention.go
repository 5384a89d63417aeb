package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const (
	retentionQuery = `SELECT name, create_table_query FROM system.tables WHERE database = 'corrosion' AND name IN ('samples', 'samples_hourly')`
	alterRaw       = `ALTER TABLE corrosion.samples MODIFY TTL toDateTime(greatest(ts, received_at)) + toIntervalDay(%d) DELETE`
	alterHourly    = `ALTER TABLE corrosion.%s MODIFY TTL hour + toIntervalDay(%d) DELETE`
)

var ttlDays = regexp.MustCompile(`\bTTL\b.*?toIntervalDay\((\d+)\)`)

// ReadRetention reads from ClickHouse how long its tables keep their rows.
func ReadRetention(ctx context.Context, conn driver.Conn) (Retention, error) {
	rows, err := conn.Query(ctx, retentionQuery)
	if err != nil {
		return Retention{}, fmt.Errorf("read retention: %w", err)
	}
	defer rows.Close()
	var retention Retention
	for rows.Next() {
		var table, create string
		if err := rows.Scan(&table, &create); err != nil {
			return Retention{}, fmt.Errorf("read retention: %w", err)
		}
		match := ttlDays.FindStringSubmatch(create)
		if match == nil {
			return Retention{}, fmt.Errorf("read retention: table %s has no TTL in days", table)
		}
		days, _ := strconv.Atoi(match[1])
		if table == "samples" {
			retention.Raw = time.Duration(days) * 24 * time.Hour
		} else {
			retention.Hourly = time.Duration(days) * 24 * time.Hour
		}
	}
	if retention.Raw == 0 || retention.Hourly == 0 {
		return Retention{}, errors.Join(rows.Err(), errors.New("read retention: the tables are missing: run corrosion migrate"))
	}
	return retention, rows.Err()
}

// days are the whole days of both limits.
func (r Retention) days() (raw, hourly int) {
	const day = 24 * time.Hour
	return int(r.Raw / day), int(r.Hourly / day)
}

// Validate says whether the tables can keep their rows so: raw at least one day, and never longer than the hours.
func (r Retention) Validate() error {
	if raw, hourly := r.days(); raw < 1 || hourly < raw || hourly > 3650 {
		return fmt.Errorf("retention: raw %d and hourly %d days: raw must be at least 1, hourly from raw to 3650", raw, hourly)
	}
	return nil
}

// ApplyRetention makes the tables keep their rows for whole days and changes only what differs.
func ApplyRetention(ctx context.Context, conn driver.Conn, want Retention) error {
	if err := want.Validate(); err != nil {
		return err
	}
	raw, hourly := want.days()
	have, err := ReadRetention(ctx, conn)
	if err != nil {
		return err
	}
	var statements []string
	if have.Raw != want.Raw {
		statements = append(statements, fmt.Sprintf(alterRaw, raw))
	}
	if have.Hourly != want.Hourly {
		statements = append(statements, fmt.Sprintf(alterHourly, "samples_hourly", hourly), fmt.Sprintf(alterHourly, "metrics_hourly", hourly))
	}
	for _, statement := range statements {
		if err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("apply retention: %w", err)
		}
	}
	return nil
}
