package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/insertgate"
	"corrosion/schema/pause"
)

// pass is one look at what changed.
type pass struct {
	*Aggregator
	site    site
	conn    driver.Conn // the site's
	gate    *insertgate.Gate
	log     *slog.Logger
	run     *Run
	rollups []*rollup
	// horizon: rows of hours from here on cannot have expired.
	horizon time.Time
	// left are hours that differ and stay, because rows of theirs are gone.
	left map[hourKey]bool
}

const (
	// horizonMargin keeps clear of the moment at which rows expire.
	horizonMargin = 10 * time.Minute
	// unsafeSpan is how long before an unclean end of ClickHouse its parts are looked at again.
	unsafeSpan = 15 * time.Minute
	// insertPatience is the part of a lease after which an INSERT that does not end is killed; what rollups lack of it, the
	// pass that holds the lock finds.
	insertPatience = 0.3
	// healTries is how often a day is healed before the run fails; what hinders it passes.
	healTries = 4
)

// lockTables is the lock that jobs share which rewrite or drop partitions of samples or their rollups.
const lockTables = "tables"

// verify is the job: every changed hour is compared with its rows and rebuilt where it differs.
func (a *Aggregator) verify(ctx context.Context, run *Run) error {
	sites, err := a.sites(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for i, s := range sites {
		done := func(of, total int64) { run.Progress(int64(i)*total+of, int64(len(sites))*total) }
		if err := a.verifySite(ctx, run, s, done); err != nil {
			faults = append(faults, fmt.Errorf("%s%w", s.prefix, err))
		}
	}
	return errors.Join(faults...)
}

func (a *Aggregator) verifySite(ctx context.Context, run *Run, s site, progress func(done, total int64)) error {
	p := &pass{Aggregator: a, site: s, conn: s.conn, log: a.Runner.log, run: run, left: map[hourKey]bool{}}
	p.gate = &insertgate.Gate{Conns: stores.Replicas(p.conn), Lease: a.config.LockLease, KillAfter: time.Duration(float64(a.config.LockLease) * insertPatience)}
	var err error
	if p.rollups, err = loadRollups(ctx, p.conn, schema.Rollups()); err != nil {
		return err
	}
	if err := errors.Join(p.clean(ctx), p.gate.Tidy(ctx)); err != nil { // what one that died left behind
		return err
	}
	server, err := askServerRun(ctx, p.conn)
	if err != nil {
		return err
	}
	days, marks, err := a.days(ctx, s)
	if err != nil {
		return err
	}
	if err := p.setHorizon(ctx, marks); err != nil {
		return err
	}
	anew := p.unsafeSince(marks, server)
	chosen := p.choose(days, marks, anew)
	for i := range chosen {
		progress(int64(i), int64(len(chosen)))
		d := &chosen[i]
		whole := !anew.IsZero() && !d.modified.Before(anew)
		if err := p.day(ctx, d, whole, marks); err != nil {
			return err
		}
	}
	progress(int64(len(chosen)), int64(len(chosen)))
	if len(p.left) > 0 {
		run.Note(s.prefix+"hours_left", len(p.left))
	}
	return errors.Join(p.forgetDays(ctx, days, marks), p.putMark(ctx, markServer, server.mark.String()+" "+strconv.FormatInt(server.since.Unix(), 10)))
}

// setHorizon moves the horizon on: rows that came before it may have expired, under this retention or one before. The
// rollups have theirs, too.
func (p *pass) setHorizon(ctx context.Context, marks map[string]string) error {
	tables, err := schema.KeptTables(ctx, p.conn)
	if err != nil {
		return err
	}
	for _, t := range tables {
		begin := p.now().Add(horizonMargin - t.Keep)
		if "corrosion."+t.Name == samplesTable {
			p.horizon = begin
		}
		for _, r := range p.rollups {
			if r.Table == t.Name {
				r.gone = begin
			}
		}
	}
	if seconds, err := strconv.ParseInt(marks[markHorizon], 10, 64); err == nil && time.Unix(seconds, 0).After(p.horizon) {
		p.horizon = time.Unix(seconds, 0)
	}
	return p.putMark(ctx, markHorizon, strconv.FormatInt(p.horizon.Unix(), 10))
}

// unsafeSince is from when on parts are looked at again although they were verified: ClickHouse was started anew, and
// what it had confirmed shortly before may be gone. Zero: the server is the one of the pass before.
func (p *pass) unsafeSince(marks map[string]string, server serverRun) time.Time {
	mark, _, ok := strings.Cut(marks[markServer], " ")
	if id, err := uuid.Parse(mark); ok && err == nil && id == server.mark {
		return time.Time{}
	}
	return server.since.Add(-unsafeSpan)
}

// choose gives the days to look at: all that changed; for an event without a new server, those before today alone; for
// an operator's window, every day in it.
func (p *pass) choose(days []dayState, marks map[string]string, anew time.Time) []dayState {
	today := p.now().UTC().Truncate(24 * time.Hour)
	return slices.DeleteFunc(slices.Clone(days), func(d dayState) bool {
		if p.asked() {
			return !p.within(d.day, d.day.AddDate(0, 0, 1))
		}
		if _, forced := marks[markForced+d.day.Format(time.DateOnly)]; forced || !anew.IsZero() && !d.modified.Before(anew) {
			return false
		}
		return !d.changed() || p.run.Cause == OnEvent && anew.IsZero() && !d.day.Before(today)
	})
}

func (p *pass) asked() bool { return !p.run.Asked.From.IsZero() || !p.run.Asked.To.IsZero() }

// within tells whether [from, to) touches the operator's window.
func (p *pass) within(from, to time.Time) bool {
	w := p.run.Asked
	return (w.From.IsZero() || to.After(w.From)) && (w.To.IsZero() || from.Before(w.To))
}

// day verifies one day.
func (p *pass) day(ctx context.Context, d *dayState, whole bool, marks map[string]string) error {
	name := d.day.Format(time.DateOnly)
	hours, err := p.hours(ctx, d, whole || p.asked())
	if err != nil {
		return err
	}
	hours = slices.DeleteFunc(hours, func(k hourKey) bool { return !p.within(k.start(), k.start().Add(time.Hour)) })
	forced, err := readForced(marks[markForced+name])
	if err != nil {
		return err
	}
	p.run.Looked(Window{d.day, d.day.AddDate(0, 0, 1)})
	p.run.Add(int64(len(hours)), 0, 0)
	if err := p.settle(ctx, d.day, hours, forced); err != nil {
		return err
	}
	writable := slices.DeleteFunc(slices.Clone(hours), func(k hourKey) bool { return p.left[k] })
	if err := p.network(ctx, d.day, writable); err != nil {
		return err
	}
	if err := p.dropMark(ctx, markForced+name); err != nil {
		return err
	}
	if p.asked() { // only some of its hours may have been looked at
		return nil
	}
	return p.putMark(ctx, markDay+name, d.mark())
}

// settle removes what is doubled and heals until every hour is what its rows give.
func (p *pass) settle(ctx context.Context, day time.Time, hours []hourKey, forced map[hourKey]bool) error {
	for k := range forced {
		if !slices.Contains(hours, k) {
			hours = append(hours, k)
		}
	}
	var failed error
	for try := range healTries {
		if try > 0 && !pause.For(ctx, time.Duration(try)*200*time.Millisecond) {
			return ctx.Err()
		}
		suspects, err := p.suspects(ctx, day, hours)
		if err != nil {
			return err
		}
		d, err := p.findDoubles(ctx, hours)
		if err != nil {
			return err
		}
		d = slices.DeleteFunc(d, func(one doubled) bool { return p.left[one.hour] })
		if len(suspects) == 0 && len(d) == 0 {
			return nil
		}
		healed, err := p.healOnce(ctx, day, suspects, forced, d)
		if err != nil && !passes(err) {
			return err
		}
		if err == nil && healed == 0 { // what seemed to differ was being inserted
			return nil
		}
		failed = err
	}
	return errors.Join(fmt.Errorf("hours of %s still differ from their rows", day.Format(time.DateOnly)), failed)
}

// passes tells whether trying again is of use: the gate was busy, parts moved, the lease ran out.
func passes(err error) bool {
	return errors.Is(err, insertgate.ErrBusy) || errors.Is(err, errMoved) || errors.Is(err, context.DeadlineExceeded)
}

// healOnce heals what differs and tells how many hours that were.
func (p *pass) healOnce(ctx context.Context, day time.Time, suspects []hourKey, forced map[hourKey]bool, d doubles) (int, error) {
	for k := range d.hours() {
		if !slices.Contains(suspects, k) {
			suspects = append(suspects, k)
		}
	}
	begun := p.now()
	healed, removed, err := p.heal(ctx, day, suspects, forced, d)
	if err != nil {
		p.log.Warn("healing was given up for now", "day", day.Format(time.DateOnly), "hours", len(suspects), "error", err)
		return 0, err
	}
	p.run.Add(0, int64(len(healed)), removed)
	if len(healed) > 0 {
		p.log.Info("healed hours whose rollup was not what their rows give", "day", day.Format(time.DateOnly), "hours", len(healed),
			"rows_removed", removed, "took", p.now().Sub(begun).Round(time.Millisecond))
	}
	return len(healed), nil
}

// suspects are the hours that seem to differ; those that are known to stay are left out.
func (p *pass) suspects(ctx context.Context, day time.Time, hours []hourKey) ([]hourKey, error) {
	seen := map[hourKey]bool{}
	var suspects []hourKey
	for _, r := range p.rollups {
		found, err := p.compare(ctx, r, scope{day: day, hours: hours, table: samplesTable})
		if err != nil {
			return nil, err
		}
		for k := range found {
			if !seen[k] && !p.left[k] {
				seen[k] = true
				suspects = append(suspects, k)
			}
		}
	}
	return suspects, nil
}

// may tells whether an hour may be rebuilt from its rows: a rollup that knows of something that no row has, or, where
// rows may have expired, of more than the rows, is all that is left of them.
func (p *pass) may(k hourKey, v verdict) bool {
	return !v.beyond && (!v.more || !k.start().Before(p.horizon))
}

// rememberForced notes, before rows are removed, whose rollups will know of more than there is: should the pass end in
// between, the next one rebuilds them.
func (p *pass) rememberForced(ctx context.Context, day time.Time, hours map[hourKey]bool) error {
	return p.putMark(ctx, markForced+day.Format(time.DateOnly), writeForced(hours))
}

type forcedHour struct {
	License uuid.UUID `json:"license"`
	Hour    int64     `json:"hour"`
}

func writeForced(hours map[hourKey]bool) string {
	var list []forcedHour
	for k := range hours {
		list = append(list, forcedHour{k.license, k.hour})
	}
	text, _ := json.Marshal(list) // cannot fail: plain values
	return string(text)
}

func readForced(text string) (map[hourKey]bool, error) {
	hours := map[hourKey]bool{}
	if text == "" {
		return hours, nil
	}
	var list []forcedHour
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the hours that lost rows: %w", err)
	}
	for _, one := range list {
		hours[hourKey{one.License, one.Hour}] = true
	}
	return hours, nil
}

func tablesOf(rollups []*rollup) []string {
	var all []string
	for _, r := range rollups {
		all = append(all, r.Table)
	}
	return all
}
