package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/schema"
)

// retentionJob is due at 03:00 UTC. It shares the lock of what rewrites tables.
const (
	retentionJob      = "retention"
	retentionSchedule = "0 3 * * *"
	// retentionTries is how often parts are looked at that merged while they were to be dropped.
	retentionTries = 5
	noSuchPart     = 232 // ClickHouse's error code for a part that has merged or gone
)

// Parts are dropped by name, not days by date: what arrives for an old day in that moment is in another part, and stays.
const (
	duePartsQuery = `SELECT due.name, parts.rows, parts.bytes_on_disk
FROM (SELECT _part AS name FROM corrosion.%[1]s WHERE _partition_id IN (SELECT partition_id FROM system.parts
        WHERE database = 'corrosion' AND table = '%[1]s' AND active
        AND parseDateTimeBestEffort(partition, 'UTC') + toIntervalSecond(%[4]d) + toIntervalSecond(%[3]d) < now())
    GROUP BY name HAVING max(toDateTime(%[2]s)) + toIntervalSecond(%[3]d) < now()) AS due
LEFT JOIN (SELECT name, rows, bytes_on_disk FROM system.parts WHERE database = 'corrosion' AND table = '%[1]s' AND active) AS parts USING name
ORDER BY due.name`
	dropPart = `ALTER TABLE corrosion.%s DROP PART '%s'`
	// Rows that came late may have merged with older ones of their day: then these are cut out.
	overdueQuery = `SELECT _partition_id, count() FROM corrosion.%[1]s
WHERE toDateTime(%[2]s) + toIntervalSecond(%[3]d) + toIntervalSecond(%[4]d) < now() GROUP BY _partition_id ORDER BY _partition_id`
	cutRows = `ALTER TABLE corrosion.%[1]s DELETE IN PARTITION ID '%[5]s'
WHERE toDateTime(%[2]s) + toIntervalSecond(%[3]d) + toIntervalSecond(%[4]d) < now() SETTINGS mutations_sync = 2`
	tableBytes = `SELECT toUInt64(sum(bytes_on_disk)) FROM system.parts WHERE database = 'corrosion' AND table = '%s' AND active`
)

// TableReport is what one table gave up.
type TableReport struct {
	Table string `json:"table"`
	Parts int    `json:"parts"`
	Rows  uint64 `json:"rows"`
	Bytes uint64 `json:"bytes"`
}

// RetentionReport is what one run of the retention job did.
type RetentionReport struct {
	Tables []TableReport `json:"tables"`
	// Cleaned counts the rows deleted in Postgres, by table.
	Cleaned map[string]int64 `json:"cleaned"`
	// Freed are the bytes of what was dropped from ClickHouse, compressed.
	Freed uint64 `json:"freed_bytes"`
}

// Retain drops what is beyond its days in ClickHouse, checks that nothing of it remains, and cleans Postgres. A second run
// finds nothing to do. What it did is in the report also when it returns an error.
func (a *Aggregator) Retain(ctx context.Context, progress func(done, total int64)) (RetentionReport, error) {
	report := RetentionReport{Cleaned: map[string]int64{}}
	sites, err := a.sites(ctx)
	if err != nil {
		return report, err
	}
	var faults []error
	total := int64(len(sites)) + 1
	for i, s := range sites {
		faults = append(faults, s.retain(ctx, &report, func(done, of int64) { progress(int64(i)*of+done, total*of) }))
	}
	faults = append(faults, a.clean(ctx, report.Cleaned))
	progress(total, total)
	return report, errors.Join(faults...)
}

// retain drops what a site keeps for too long.
func (s site) retain(ctx context.Context, report *RetentionReport, progress func(done, total int64)) error {
	tables, err := schema.KeptTables(ctx, s.conn)
	if err != nil {
		return err
	}
	var faults []error
	for i, t := range tables {
		progress(int64(i), int64(len(tables)))
		dropped, err := s.retainTable(ctx, t.Name)
		if dropped.Rows > 0 {
			report.add(dropped)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%sretention of %s: %w", s.prefix, t.Name, err))
		}
	}
	return errors.Join(faults...)
}

// add counts a table's losses, of one more site.
func (r *RetentionReport) add(dropped TableReport) {
	r.Freed += dropped.Bytes
	at := slices.IndexFunc(r.Tables, func(t TableReport) bool { return t.Table == dropped.Table })
	if at < 0 {
		r.Tables = append(r.Tables, dropped)
		return
	}
	t := &r.Tables[at]
	t.Parts, t.Rows, t.Bytes = t.Parts+dropped.Parts, t.Rows+dropped.Rows, t.Bytes+dropped.Bytes
}

// retain is the job.
func (a *Aggregator) retain(ctx context.Context, run *Run) error {
	report, err := a.Retain(ctx, run.Progress)
	for _, t := range report.Tables {
		run.Add(0, 0, int64(t.Rows))
	}
	run.Note("freed_bytes", report.Freed)
	if len(report.Tables) > 0 {
		run.Note("tables", report.Tables)
	}
	if len(report.Cleaned) > 0 {
		run.Note("cleaned", report.Cleaned)
	}
	return err
}

// retainTable goes by the limit of this moment: it may have grown since the run began.
func (s site) retainTable(ctx context.Context, name string) (TableReport, error) {
	report := TableReport{Table: name}
	tables, err := schema.KeptTables(ctx, s.conn)
	at := slices.IndexFunc(tables, func(t schema.KeptTable) bool { return t.Name == name })
	if err != nil || at < 0 {
		return report, err
	}
	t := tables[at]
	for range retentionTries {
		missed, err := s.dropParts(ctx, t, &report)
		if err != nil {
			return report, err
		}
		if !missed {
			break
		}
	}
	if err := s.cutOverdue(ctx, t, &report); err != nil {
		return report, err
	}
	overdue, err := s.overdue(ctx, t)
	if err != nil || len(overdue) == 0 {
		return report, err
	}
	return report, fmt.Errorf("rows remain beyond %s in partitions %v", schema.Days(t.Keep+t.Span), overdue)
}

// dropParts drops every part whose rows are all due; missed says that some had merged meanwhile.
func (s site) dropParts(ctx context.Context, t schema.KeptTable, report *TableReport) (missed bool, err error) {
	type part struct {
		name        string
		rows, bytes uint64
	}
	rows, err := s.conn.Query(ctx, fill(duePartsQuery, t))
	if err != nil {
		return false, fmt.Errorf("find due parts: %w", err)
	}
	defer rows.Close()
	var parts []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.name, &p.rows, &p.bytes); err != nil {
			return false, fmt.Errorf("find due parts: %w", err)
		}
		parts = append(parts, p)
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("find due parts: %w", err)
	}
	for _, p := range parts {
		err := s.conn.Exec(ctx, fmt.Sprintf(dropPart, t.Name, p.name))
		var exception *clickhouse.Exception
		if errors.As(err, &exception) && exception.Code == noSuchPart {
			missed = true
			continue
		}
		if err != nil {
			return missed, fmt.Errorf("drop part %s: %w", p.name, err)
		}
		report.Parts, report.Rows, report.Bytes = report.Parts+1, report.Rows+p.rows, report.Bytes+p.bytes
	}
	return missed, nil
}

// cutOverdue removes rows that are beyond their days and yet in a part with others that are not.
func (s site) cutOverdue(ctx context.Context, t schema.KeptTable, report *TableReport) error {
	overdue, err := s.overdue(ctx, t)
	if err != nil || len(overdue) == 0 {
		return err
	}
	before, err := s.bytes(ctx, t)
	if err != nil {
		return err
	}
	for partition, rows := range overdue {
		if err := s.conn.Exec(ctx, fill(cutRows, t, partition)); err != nil {
			return fmt.Errorf("cut rows out of %s: %w", partition, err)
		}
		report.Rows += rows
	}
	after, err := s.bytes(ctx, t)
	if err == nil && after < before { // inserts come meanwhile
		report.Bytes += before - after
	}
	return err
}

// overdue counts, by partition, the rows that should be gone even as whole partitions go.
func (s site) overdue(ctx context.Context, t schema.KeptTable) (map[string]uint64, error) {
	rows, err := s.conn.Query(ctx, fill(overdueQuery, t))
	if err != nil {
		return nil, fmt.Errorf("look for what remains: %w", err)
	}
	defer rows.Close()
	overdue := map[string]uint64{}
	for rows.Next() {
		var partition string
		var n uint64
		if err := rows.Scan(&partition, &n); err != nil {
			return nil, fmt.Errorf("look for what remains: %w", err)
		}
		overdue[partition] = n
	}
	return overdue, rows.Err()
}

func (s site) bytes(ctx context.Context, t schema.KeptTable) (n uint64, err error) {
	if err := s.conn.QueryRow(ctx, fmt.Sprintf(tableBytes, t.Name)).Scan(&n); err != nil {
		return 0, fmt.Errorf("measure %s: %w", t.Name, err)
	}
	return n, nil
}

// fill puts a table's name, age, limit and span into a statement.
func fill(statement string, t schema.KeptTable, more ...any) string {
	args := []any{t.Name, t.Counts, int(t.Keep / time.Second), int(t.Span / time.Second)}
	return fmt.Sprintf(statement, slices.Concat(args, more)...)
}
