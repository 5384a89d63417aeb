package aggregator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"corrosion/schema/pg"
)

// Marks say how far verifying has come: for each day the newest block of samples that has been verified. ClickHouse
// numbers blocks as it commits them, so nothing can be stored behind a mark, however late or long ago its samples are.
const (
	askDays = `SELECT toString(partition), toInt64(max(max_block_number)), toInt64(toUnixTimestamp(max(modification_time))),
		(SELECT toString(uuid) FROM system.tables WHERE database = 'corrosion' AND name = 'samples')
		FROM system.parts WHERE database = 'corrosion' AND table = 'samples' AND active GROUP BY partition ORDER BY partition DESC`
	askHours = `SELECT license_id, toInt64(toUnixTimestamp(toStartOfHour(ts))) AS h FROM corrosion.samples WHERE toDate(ts) = '%s' AND %s GROUP BY license_id, h ORDER BY h, license_id`
)

// Names of marks beside the days'.
const (
	verifyJob   = "verify"
	markServer  = "server"
	markHorizon = "horizon"
	markForced  = "forced/"
	markDay     = "day/"
)

// dayState is a day partition of samples, and how much of it has been verified.
type dayState struct {
	day      time.Time
	table    string // the table's id: one made anew begins anew
	block    int64
	modified time.Time
	verified int64 // the mark; 0: nothing
}

func (d *dayState) changed() bool { return d.block != d.verified }

func (d *dayState) mark() string { return d.table + " " + strconv.FormatInt(d.block, 10) }

// days reads the partitions, newest first, with their marks.
func (a *Aggregator) days(ctx context.Context, s site) ([]dayState, map[string]string, error) {
	marks, err := a.marks(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.conn.Query(ctx, askDays)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for days: %w", err)
	}
	defer rows.Close()
	var days []dayState
	for rows.Next() {
		var d dayState
		var name string
		var modified int64
		if err := rows.Scan(&name, &d.block, &modified, &d.table); err != nil {
			return nil, nil, fmt.Errorf("ask for days: %w", err)
		}
		if d.day, err = time.Parse(time.DateOnly, name); err != nil {
			return nil, nil, fmt.Errorf("ask for days: %w", err)
		}
		d.modified = time.Unix(modified, 0)
		if table, block, ok := strings.Cut(marks[markDay+name], " "); ok && table == d.table {
			if n, err := strconv.ParseInt(block, 10, 64); err == nil && n <= d.block { // else the partition was dropped and filled again
				d.verified = n
			}
		}
		days = append(days, d)
	}
	return days, marks, rows.Err()
}

// marks are those of a site, without its prefix.
func (a *Aggregator) marks(ctx context.Context, s site) (map[string]string, error) {
	rows, err := pg.New(a.deps.Postgres).ListJobMarks(ctx, verifyJob)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	marks := make(map[string]string, len(rows))
	for _, row := range rows {
		if name, ok := strings.CutPrefix(row.Name, s.prefix); ok {
			marks[name] = row.Value
		}
	}
	return marks, nil
}

func (p *pass) putMark(ctx context.Context, name, value string) error {
	if err := pg.New(p.deps.Postgres).PutJobMark(ctx, pg.PutJobMarkParams{Job: verifyJob, Name: p.site.prefix + name, Value: value}); err != nil {
		return fmt.Errorf("keep a mark: %w", err)
	}
	return nil
}

func (p *pass) dropMark(ctx context.Context, name string) error {
	if err := pg.New(p.deps.Postgres).DeleteJobMark(ctx, pg.DeleteJobMarkParams{Job: verifyJob, Name: p.site.prefix + name}); err != nil {
		return fmt.Errorf("drop a mark: %w", err)
	}
	return nil
}

// forgetDays drops the marks of days that are gone.
func (p *pass) forgetDays(ctx context.Context, days []dayState, marks map[string]string) error {
	for name := range marks {
		day, ok := strings.CutPrefix(name, markDay)
		if !ok || slices.ContainsFunc(days, func(d dayState) bool { return d.day.Format(time.DateOnly) == day }) {
			continue
		}
		if err := p.dropMark(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// hours are the hours of a day that changed since its mark; with whole, all; a part that was merged
// with verified ones counts as new.
func (p *pass) hours(ctx context.Context, d *dayState, whole bool) ([]hourKey, error) {
	filter := "1"
	if !whole && d.verified > 0 { // a part's name is day_firstblock_lastblock_level
		filter = fmt.Sprintf("toInt64(splitByChar('_', CAST(_part, 'String'))[3]) > %d", d.verified)
	}
	rows, err := p.conn.Query(heavy(ctx), fmt.Sprintf(askHours, d.day.Format(time.DateOnly), filter))
	if err != nil {
		return nil, fmt.Errorf("ask for changed hours: %w", err)
	}
	defer rows.Close()
	var hours []hourKey
	for rows.Next() {
		var k hourKey
		if err := rows.Scan(&k.license, &k.hour); err != nil {
			return nil, fmt.Errorf("ask for changed hours: %w", err)
		}
		hours = append(hours, k)
	}
	return hours, rows.Err()
}
