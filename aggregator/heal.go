package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pause"
)

// stagingPrefix begins the tables that a day is rebuilt in.
const stagingPrefix = "heal_"

const (
	askParts = `SELECT (SELECT anyIf(uuid, name = 'INFORMATION_SCHEMA') FROM system.databases) AS mark, arraySort(groupArray(concat(table, '/', name)))
		FROM system.parts WHERE database = 'corrosion' AND table IN (?) AND active AND partition = ?`
	askMerging = `SELECT toString(table) FROM system.merges WHERE database = 'corrosion' AND table IN (?)`
	// askEngine says what a staging table needs beside the columns; nothing where the engine can be taken over, too.
	askEngine   = `SELECT ` + cluster.PlainEngine + ` FROM system.tables WHERE database = 'corrosion' AND name = ?`
	askStagings = `SELECT name FROM system.tables WHERE database = 'corrosion' AND startsWith(name, 'heal_')`
)

// errMoved says that parts changed under a healing: it begins again.
var errMoved = errors.New("parts changed while a day was healed")

// healing rebuilds hours of one day without a reader seeing a hole or a double:
//
//   - While inserts are held off for an instant, the parts of that moment are noted; merges are stopped, so they stay.
//   - Beside, in tables of the same shape, the day is put together from the noted parts: the rollup's other hours as they
//     are, the hours that differ anew from exactly the noted rows.
//   - Held off again, the rollup parts that came since are added, and the partition is replaced in one step.
//
// A healer that dies leaves a lock that lapses, stopped merges and staging tables; the next one puts these right.
type healing struct {
	*pass
	day      time.Time
	suspects []hourKey
	forced   map[hourKey]bool
	doubles  doubles
	server   serverRun
	// noted are the parts of one moment, by table; added are later ones that what was built has, too.
	noted, added map[string][]string
	// rebuilt are the hours of each rollup; source is where their rows are.
	rebuilt map[*rollup][]hourKey
	source  string
}

func (h *healing) tables() []string {
	all := []string{"samples"}
	for _, r := range h.rollups {
		all = append(all, r.Table)
	}
	return all
}

// samplesTable is where rows are.
const samplesTable = "corrosion.samples"

// heal rebuilds what differs of these hours and removes doubled rows. It gives the hours rebuilt and the rows removed.
func (p *pass) heal(ctx context.Context, day time.Time, suspects []hourKey, forced map[hourKey]bool, d doubles) (healed []hourKey, removed int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.HealLimit)
	defer cancel()
	h := &healing{pass: p, day: day, suspects: suspects, forced: forced, doubles: d,
		added: map[string][]string{}, rebuilt: map[*rollup][]hourKey{}, source: samplesTable}
	if err := p.clean(ctx); err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, p.clean(context.WithoutCancel(ctx))) }()
	for _, step := range []func(context.Context) error{h.stop, h.note, h.judge, h.build, h.replace} {
		if err := step(ctx); err != nil {
			return nil, 0, fmt.Errorf("heal %s: %w", day.Format(time.DateOnly), err)
		}
	}
	seen := map[hourKey]bool{}
	for _, hours := range h.rebuilt {
		for _, k := range hours {
			if !seen[k] {
				seen[k] = true
				healed = append(healed, k)
			}
		}
	}
	return healed, h.doubles.rows(), nil
}

// clean lets merges run and removes staging tables, ours or those of one that died.
func (p *pass) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stagings, err := stores.Texts(ctx, p.conn, askStagings)
	if err != nil {
		return fmt.Errorf("look for staging tables: %w", err)
	}
	for _, table := range stagings {
		if err := p.conn.Exec(ctx, "DROP TABLE IF EXISTS corrosion."+table+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	for _, table := range append([]string{"samples"}, tablesOf(p.rollups)...) {
		for _, replica := range stores.Replicas(p.conn) {
			if err := replica.Exec(ctx, "SYSTEM START MERGES corrosion."+table); err != nil {
				return fmt.Errorf("let %s merge: %w", table, err)
			}
		}
	}
	return nil
}

// stop ends merges and waits until none is under way.
func (h *healing) stop(ctx context.Context) error {
	var err error
	if h.server, err = askServerRun(ctx, h.conn); err != nil {
		return err
	}
	for _, table := range h.tables() {
		for _, replica := range stores.Replicas(h.conn) {
			if err := replica.Exec(ctx, "SYSTEM STOP MERGES corrosion."+table); err != nil {
				return fmt.Errorf("stop merges of %s: %w", table, err)
			}
		}
	}
	for _, replica := range stores.Replicas(h.conn) {
		if err := h.unmerging(ctx, replica); err != nil {
			return err
		}
	}
	return nil
}

// unmerging waits until no merge is under way.
func (h *healing) unmerging(ctx context.Context, conn driver.Conn) error {
	for {
		merging, err := stores.Texts(ctx, conn, askMerging, h.tables())
		if err != nil || len(merging) == 0 {
			return err
		}
		if !pause.For(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// beside makes a staging table of the same shape. That of a replicated table is this replica's alone.
func (h *healing) beside(ctx context.Context, table string) error {
	var engine string
	if err := h.conn.QueryRow(ctx, askEngine, table).Scan(&engine); err != nil {
		return err
	}
	return h.conn.Exec(heavy(ctx), "CREATE TABLE corrosion."+stagingPrefix+table+" AS corrosion."+table+engine)
}

// note remembers the parts of one moment at which no INSERT is half done.
func (h *healing) note(ctx context.Context) error {
	begun := time.Now()
	bound, open, err := h.gate.Shut(ctx)
	if err != nil {
		return err
	}
	defer func() {
		open()
		h.held(time.Since(begun))
	}()
	if h.noted, err = h.parts(bound); err != nil {
		return err
	}
	if len(h.doubles) == 0 {
		return nil
	}
	return h.copyRows(bound)
}

// judge compares the noted parts alone, so that what differs now is really off.
func (h *healing) judge(ctx context.Context) error {
	for _, r := range h.rollups {
		found, err := h.compare(ctx, r, h.scope(r, h.suspects))
		if err != nil {
			return err
		}
		for k, v := range found {
			if h.forced[k] || h.may(k, v) {
				h.rebuilt[r] = append(h.rebuilt[r], k)
			} else {
				h.left[k] = true
			}
		}
	}
	return errors.Join(h.judgeDoubles(ctx), h.unmoved(ctx))
}

// judgeDoubles removes doubled rows from the copy, but for those of hours that cannot be rebuilt without them.
func (h *healing) judgeDoubles(ctx context.Context) error {
	h.doubles = slices.DeleteFunc(h.doubles, func(d doubled) bool { return h.left[d.hour] })
	if len(h.doubles) == 0 {
		return nil
	}
	losing := h.doubles.hours()
	for k := range losing {
		h.forced[k] = true
	}
	if err := h.rememberForced(ctx, h.day, h.forced); err != nil {
		return err
	}
	for _, r := range h.rollups {
		for k := range losing {
			if !slices.Contains(h.rebuilt[r], k) {
				h.rebuilt[r] = append(h.rebuilt[r], k)
			}
		}
	}
	h.source = "corrosion." + stagingPrefix + "samples"
	return h.removeRows(ctx)
}

// scope is hours among the noted parts; a copy of the rows holds nothing else.
func (h *healing) scope(r *rollup, hours []hourKey) scope {
	s := scope{day: h.day, hours: hours, table: h.source, kept: partsIn(h.noted[r.Table])}
	if h.source == samplesTable {
		s.rows = partsIn(h.noted["samples"])
	}
	return s
}

// build puts the day together beside.
func (h *healing) build(ctx context.Context) error {
	for _, r := range h.rollups {
		hours := h.rebuilt[r]
		if len(hours) == 0 {
			continue
		}
		staging := "corrosion." + stagingPrefix + r.Table
		others := fmt.Sprintf("toDate(%[1]s) = '%[2]s' AND %[3]s AND (license_id, toStartOfHour(%[1]s)) NOT IN (%[4]s)",
			r.Time, h.day.Format(time.DateOnly), partsIn(h.noted[r.Table]), hourList(hours))
		s := h.scope(r, hours)
		if err := h.beside(ctx, r.Table); err != nil {
			return fmt.Errorf("rebuild %s: %w", r.Table, err)
		}
		for _, statement := range []string{
			"INSERT INTO " + staging + " SELECT * FROM corrosion." + r.Table + " WHERE " + others,
			"INSERT INTO " + staging + " (" + r.names() + ") SELECT " + r.names() + " FROM (" + r.source(h.source, s.rowFilter()) + ")",
		} {
			if err := h.conn.Exec(heavy(ctx), statement); err != nil {
				return fmt.Errorf("rebuild %s: %w", r.Table, err)
			}
		}
	}
	return h.unmoved(ctx)
}

// replace puts the built day in the place of the old one.
func (h *healing) replace(ctx context.Context) error {
	var tables []string
	if len(h.doubles) > 0 {
		tables = append(tables, "samples")
	}
	for _, r := range h.rollups {
		if len(h.rebuilt[r]) > 0 {
			tables = append(tables, r.Table)
		}
	}
	if len(tables) == 0 {
		return nil
	}
	if _, err := h.append(ctx, tables); err != nil { // most of it while inserts go on
		return err
	}
	begun := time.Now()
	bound, open, err := h.gate.Shut(ctx)
	if err != nil {
		return err
	}
	defer func() {
		open()
		h.held(time.Since(begun))
	}()
	added, err := h.append(bound, tables)
	if err == nil && added {
		err = h.unmoved(bound)
	}
	if err != nil {
		return err
	}
	for _, table := range tables {
		if bound.Err() != nil {
			return bound.Err()
		}
		if err := h.conn.Exec(heavy(bound), fmt.Sprintf("ALTER TABLE corrosion.%s REPLACE PARTITION '%s' FROM corrosion.%s%s",
			table, h.day.Format(time.DateOnly), stagingPrefix, table)); err != nil {
			return fmt.Errorf("replace the day in %s: %w", table, err)
		}
	}
	return nil
}

// append adds the parts that came since to what was built; false: there was none.
func (h *healing) append(ctx context.Context, tables []string) (added bool, err error) {
	now, err := h.parts(ctx)
	if err != nil {
		return false, err
	}
	for _, table := range tables {
		parts := slices.DeleteFunc(now[table], func(part string) bool {
			return slices.Contains(h.noted[table], part) || slices.Contains(h.added[table], part)
		})
		if len(parts) == 0 {
			continue
		}
		err := h.conn.Exec(heavy(ctx), "INSERT INTO corrosion."+stagingPrefix+table+" SELECT * FROM corrosion."+table+" WHERE "+partsIn(parts))
		if err != nil {
			return added, fmt.Errorf("add what came to %s meanwhile: %w", table, err)
		}
		h.added[table], added = append(h.added[table], parts...), true
	}
	return added, nil
}

// parts are the day's parts by table; it fails where one that was noted or added is gone, merged or dropped, or the
// server is a new one.
func (h *healing) parts(ctx context.Context) (map[string][]string, error) {
	var mark uuid.UUID
	var names []string
	if err := h.conn.QueryRow(ctx, askParts, h.tables(), h.day.Format(time.DateOnly)).Scan(&mark, &names); err != nil {
		return nil, fmt.Errorf("ask for parts: %w", err)
	}
	if mark != h.server.mark {
		return nil, errMoved
	}
	parts := map[string][]string{}
	for _, name := range names {
		table, part, _ := strings.Cut(name, "/")
		parts[table] = append(parts[table], part)
	}
	for _, known := range []map[string][]string{h.noted, h.added} {
		for table := range known {
			for _, part := range known[table] {
				if _, there := slices.BinarySearch(parts[table], part); !there {
					return nil, errMoved
				}
			}
		}
	}
	return parts, nil
}

func (h *healing) unmoved(ctx context.Context) error {
	_, err := h.parts(ctx)
	return err
}

// partsIn restricts a SELECT to parts.
func partsIn(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = schema.Literal(part)
	}
	return "_part IN (" + strings.Join(escaped, ",") + ")"
}
