package aggregator

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/pg"
)

const (
	// marksJob writes the marks that samples show. It comes after verify, which makes the hours right that it is led by.
	marksJob      = "marks"
	marksSchedule = "12 * * * *"
	// settleFor is how long after a restart a world may still be loading; hours younger than that are left for later.
	settleFor = 10 * time.Minute
	// readingFor is how old a measurement before a restart may be to say something about it.
	readingFor = 30 * time.Minute
	// marksAtOnce bounds the servers of one question.
	marksAtOnce = 1000
)

// stretch is where a license's servers have changed, ms since the epoch: [from, to), and up to end what that may change.
type stretch struct {
	license       uuid.UUID
	servers       []string
	from, to, end int64
	ends          map[string]int64 // by server: until where it is looked at
}

// markSamples is the job: restarts, map changes and wipes of closed hours become marks. Late samples bring their hours in
// again, whose marks are added, moved or withdrawn; twice the same samples change nothing.
func (a *Aggregator) markSamples(ctx context.Context, run *Run) error {
	sites, err := a.sites(ctx)
	if err != nil {
		return err
	}
	written := 0
	for _, s := range sites {
		n, err := a.markSite(ctx, run, s)
		if err != nil {
			return err
		}
		written += n
	}
	run.Note("marks_written", written)
	return nil
}

// markSite writes the marks of a site's servers.
func (a *Aggregator) markSite(ctx context.Context, run *Run, s site) (written int, err error) {
	closed := schema.FloorHour(a.now().Add(-settleFor)).UnixMilli()
	days, err := a.markDays(ctx, s)
	if err != nil {
		return 0, err
	}
	kept, err := schema.ReadRetention(ctx, s.conn)
	if err != nil {
		return 0, err
	}
	horizon := a.now().Add(horizonMargin - kept.Raw).UnixMilli()
	for i := range days {
		run.Progress(int64(i), int64(len(days)))
		d := &days[i]
		if d.block == d.verified && d.looked >= min(closed, d.day.AddDate(0, 0, 1).UnixMilli()) {
			continue
		}
		n, err := a.markDay(ctx, s, d, closed, horizon)
		if err != nil {
			return written, err
		}
		written += n
		run.Looked(Window{d.day, d.day.AddDate(0, 0, 1)})
		value := d.mark() + " " + strconv.FormatInt(closed, 10)
		if err := pg.New(a.deps.Postgres).PutJobMark(ctx, pg.PutJobMarkParams{Job: marksJob, Name: s.prefix + markDay + d.day.Format(time.DateOnly), Value: value}); err != nil {
			return written, fmt.Errorf("keep a mark: %w", err)
		}
	}
	run.Progress(int64(len(days)), int64(len(days)))
	return written, nil
}

// markedDay is a day partition of samples, and until when its marks have been written.
type markedDay struct {
	dayState
	looked int64 // ms since the epoch
}

func (a *Aggregator) markDays(ctx context.Context, s site) ([]markedDay, error) {
	days, _, err := a.days(ctx, s)
	if err != nil {
		return nil, err
	}
	rows, err := pg.New(a.deps.Postgres).ListJobMarks(ctx, marksJob)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	kept := make(map[string][]string, len(rows))
	for _, row := range rows {
		kept[row.Name] = strings.Fields(row.Value)
	}
	marked := make([]markedDay, len(days))
	for i, d := range days {
		d.verified = 0
		marked[i].dayState = d
		words := kept[s.prefix+markDay+d.day.Format(time.DateOnly)]
		if len(words) != 3 || words[0] != d.table {
			continue
		}
		block, err := strconv.ParseInt(words[1], 10, 64)
		looked, err2 := strconv.ParseInt(words[2], 10, 64)
		if err == nil && err2 == nil && block <= d.block {
			marked[i].verified, marked[i].looked = block, looked
		}
	}
	return marked, nil
}

// markDay writes the marks of what changed in a day.
func (a *Aggregator) markDay(ctx context.Context, at site, d *markedDay, closed, horizon int64) (written int, err error) {
	stretches, err := a.stretches(ctx, at, d, closed)
	if err != nil {
		return 0, err
	}
	for i := range stretches {
		n, err := a.markStretch(ctx, at, &stretches[i], closed, horizon)
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// each hands the rows of a question to scan.
func each(ctx context.Context, conn driver.Conn, what, question string, args []any, scan func(driver.Rows) error) error {
	rows, err := conn.Query(heavy(ctx), question, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// stretches are the changed servers by license, some at a time, with whole hours around what changed: a reading counts
// for restarts half an hour later, and a settling world for ten minutes before.
func (a *Aggregator) stretches(ctx context.Context, at site, d *markedDay, closed int64) (all []stretch, err error) {
	const hour = int64(time.Hour / time.Millisecond)
	args := []any{
		clickhouse.Named("day", d.day.Format(time.DateOnly)), clickhouse.Named("closed", closed),
		clickhouse.Named("block", d.verified), clickhouse.Named("looked", d.looked),
	}
	err = each(ctx, at.conn, "ask for changed servers", askChanged, args, func(rows driver.Rows) error {
		var license uuid.UUID
		var server string
		var first, last int64
		if err := rows.Scan(&license, &server, &first, &last); err != nil {
			return err
		}
		from := (first - settleFor.Milliseconds()) / hour * hour
		to := min((last+readingFor.Milliseconds())/hour*hour+hour, closed)
		if n := len(all); n == 0 || all[n-1].license != license || len(all[n-1].servers) == marksAtOnce {
			all = append(all, stretch{license: license, from: from, to: to})
		}
		s := &all[len(all)-1]
		s.servers = append(s.servers, server)
		s.from, s.to = min(s.from, from), max(s.to, to)
		return nil
	})
	return all, err
}

// markStretch makes the marks of a stretch those that its samples show.
func (a *Aggregator) markStretch(ctx context.Context, at site, s *stretch, closed, horizon int64) (int, error) {
	if err := a.extend(ctx, at, s, closed); err != nil {
		return 0, err
	}
	restarts, firsts, err := a.restarts(ctx, at, s)
	if err != nil {
		return 0, err
	}
	if err := a.readings(ctx, at, s, restarts); err != nil {
		return 0, err
	}
	stored, err := a.storedMarks(ctx, s)
	if err != nil {
		return 0, err
	}
	var wanted []schema.Event
	for i := range restarts {
		if restarts[i].At < s.ends[restarts[i].ServerID] {
			wanted = append(wanted, restarts[i].marks()...)
		}
	}
	// What came before a server's first stored sample may have expired, and so may samples before the horizon.
	rows := reconcile(wanted, stored, func(e *schema.Event) bool {
		return e.TS >= horizon && e.TS < s.ends[e.ServerID] && firsts[e.ServerID] != e.TS
	}, a.now().UnixMilli())
	return len(rows), a.writeMarks(ctx, rows)
}

// extend finds until where each server is looked at: through its next hour with samples, whose first sample has another
// neighbour now.
func (a *Aggregator) extend(ctx context.Context, at site, s *stretch, closed int64) error {
	s.end, s.ends = s.to, make(map[string]int64, len(s.servers))
	for _, server := range s.servers {
		s.ends[server] = s.to
	}
	args := []any{clickhouse.Named("license", s.license.String()), clickhouse.Named("servers", s.servers), clickhouse.Named("to", s.to)}
	return each(ctx, at.conn, "ask for next hours", askNext, args, func(rows driver.Rows) error {
		var server string
		var hour int64
		if err := rows.Scan(&server, &hour); err != nil {
			return err
		}
		if end := min(hour+time.Hour.Milliseconds(), closed); end > s.ends[server] {
			s.ends[server] = end
			s.end = max(s.end, end)
		}
		return nil
	})
}

// restarts are those of a stretch, in order of servers and time, and the first samples before which nothing is stored.
func (a *Aggregator) restarts(ctx context.Context, at site, s *stretch) (all []restart, firsts map[string]int64, err error) {
	firsts = map[string]int64{}
	args := []any{
		clickhouse.Named("license", s.license.String()), clickhouse.Named("servers", s.servers),
		clickhouse.Named("from", s.from), clickhouse.Named("end", s.end),
	}
	err = each(ctx, at.conn, "ask for restarts", askRestarts, args, func(rows driver.Rows) error {
		r := restart{License: s.license}
		var first uint8
		if err := rows.Scan(&r.ServerID, &r.At, &r.Last, &r.Boot, &r.UptimeS, &first); err != nil {
			return err
		}
		if first > 0 {
			firsts[r.ServerID] = r.At
		} else {
			all = append(all, r)
		}
		return nil
	})
	return all, firsts, err
}

// readings fills in what was measured around restarts.
func (a *Aggregator) readings(ctx context.Context, at site, s *stretch, restarts []restart) error {
	for len(restarts) > 0 {
		n := min(len(restarts), marksAtOnce)
		if err := a.readSome(ctx, at, s.license, restarts[:n], restarts[n:]); err != nil {
			return err
		}
		restarts = restarts[n:]
	}
	return nil
}

// readSome reads around some restarts; what comes after one ends with the next one of its server, which may be in more.
func (a *Aggregator) readSome(ctx context.Context, at site, license uuid.UUID, some, more []restart) error {
	type key struct {
		server string
		at     int64
	}
	byKey := make(map[key]*restart, len(some))
	ids := make([]string, len(some))
	ats, lasts, nexts := make([]int64, len(some)), make([]int64, len(some)), make([]int64, len(some))
	from, to := some[0].Last, some[0].At
	for i := range some {
		r := &some[i]
		byKey[key{r.ServerID, r.At}] = r
		ids[i], ats[i], lasts[i], nexts[i] = r.ServerID, r.At, r.Last, r.At+settleFor.Milliseconds()
		following := some[i+1:]
		if len(following) == 0 {
			following = more
		}
		if len(following) > 0 && following[0].ServerID == r.ServerID {
			nexts[i] = min(nexts[i], following[0].At)
		}
		from, to = min(from, r.Last), max(to, nexts[i])
	}
	args := []any{
		clickhouse.Named("license", license.String()), clickhouse.Named("ids", ids), clickhouse.Named("ats", ats), clickhouse.Named("lasts", lasts),
		clickhouse.Named("nexts", nexts), clickhouse.Named("from", from-readingFor.Milliseconds()), clickhouse.Named("to", to),
	}
	return each(ctx, at.conn, "ask for readings", askReadings, args, func(rows driver.Rows) error {
		var k key
		var before, after reading
		if err := rows.Scan(&k.server, &k.at, &before.Entities, &before.Sleepers, &before.Seed, &before.Map,
			&after.Entities, &after.Sleepers, &after.Seed, &after.Map); err != nil {
			return err
		}
		if r := byKey[k]; r != nil {
			r.Before, r.After = before, after
		}
		return nil
	})
}

func (a *Aggregator) storedMarks(ctx context.Context, s *stretch) (stored []schema.Event, err error) {
	args := []any{
		clickhouse.Named("license", s.license.String()), clickhouse.Named("servers", s.servers),
		clickhouse.Named("from", s.from), clickhouse.Named("end", s.end),
	}
	err = each(ctx, a.deps.ClickHouse, "ask for marks", askMarks, args, func(rows driver.Rows) error {
		e := schema.Event{License: s.license, Source: schema.FromSamples}
		var kind string
		var gone uint8
		if err := rows.Scan(&e.ID, &e.ServerID, &e.TS, &kind, &e.Title, &e.Text, &e.Data, &gone, &e.Version); err != nil {
			return err
		}
		e.Kind, e.Deleted = schema.EventKind(kind), gone > 0
		stored = append(stored, e)
		return nil
	})
	return stored, err
}

func (a *Aggregator) writeMarks(ctx context.Context, rows []schema.Event) error {
	if len(rows) == 0 {
		return nil
	}
	batch, err := a.deps.ClickHouse.PrepareBatch(ctx, schema.InsertEvents())
	if err != nil {
		return fmt.Errorf("write marks: %w", err)
	}
	defer batch.Close()
	for i := range rows {
		if err := batch.Append(rows[i].Row()...); err != nil {
			return fmt.Errorf("write marks: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write marks: %w", err)
	}
	return nil
}
