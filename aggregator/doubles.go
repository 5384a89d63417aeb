package aggregator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// askDoubles gives rows that are stored more than once under one identity: how often, and their hour.
const askDoubles = `SELECT epoch, seq, idx, any(license_id) AS license, toInt64(toUnixTimestamp(toStartOfHour(any(ts)))) AS h, count() AS copies
	FROM corrosion.samples WHERE %s GROUP BY epoch, seq, idx HAVING copies > 1 LIMIT %d`

// askRepeats gives the copies of samples with one (license, server, boot, n), in the order that they came. Looked at is
// an hour and ten minutes around it: a sample without ts gets the time at which it came.
const askRepeats = `WITH arraySort(groupUniqArray((toUnixTimestamp64Milli(received_at), epoch, seq, idx, toInt64(toUnixTimestamp(toStartOfHour(ts)))))) AS copies
	SELECT license_id, arrayMap(c -> tupleElement(c, 1), copies), arrayMap(c -> tupleElement(c, 2), copies), arrayMap(c -> tupleElement(c, 3), copies),
		arrayMap(c -> tupleElement(c, 4), copies), arrayMap(c -> tupleElement(c, 5), copies)
	FROM corrosion.samples WHERE %s AND isNotNull(n) AND isNotNull(boot)
	GROUP BY license_id, server_id, boot, n HAVING length(copies) > 1 LIMIT %d`

// repeatWindow is how far apart two copies of a sample came at most, ms: the contract's ten minutes.
const repeatWindow = 10 * time.Minute

// maxDoubles bounds what is removed of one day at once; the rest is found by the pass after.
const maxDoubles = 20_000

// identity is a row's own name.
type identity struct {
	epoch, seq uint64
	idx        uint16
}

// doubled is an identity of which rows go.
type doubled struct {
	identity
	hour hourKey
	// extra is how many rows go.
	extra int64
	// repeat: all rows of the identity go, for another message brought the sample before; else one stays.
	repeat bool
}

// doubles are rows of one day that are stored too often.
type doubles []doubled

func (d doubles) rows() (extra int64) {
	for i := range d {
		extra += d[i].extra
	}
	return extra
}

// hours are those that lose rows: their rollups know of what is no more.
func (d doubles) hours() map[hourKey]bool {
	hours := map[hourKey]bool{}
	for i := range d {
		hours[d[i].hour] = true
	}
	return hours
}

// list are identities in SQL, all or those of which one stays.
func (d doubles) list(stay bool) string {
	gone := map[identity]bool{}
	for i := range d {
		if d[i].repeat {
			gone[d[i].identity] = true
		}
	}
	var b strings.Builder
	for i := range d {
		if stay && gone[d[i].identity] {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,%d,%d)", d[i].epoch, d[i].seq, d[i].idx)
	}
	return b.String()
}

// findDoubles looks hour by hour, which bounds the memory that it takes.
func (p *pass) findDoubles(ctx context.Context, hours []hourKey) (doubles, error) {
	var d doubles
	var starts []int64
	for _, k := range hours {
		if !slices.Contains(starts, k.hour) {
			starts = append(starts, k.hour)
		}
	}
	slices.Sort(starts)
	for _, start := range starts {
		if err := p.doublesOf(ctx, start, &d); err != nil {
			return d, fmt.Errorf("look for doubled rows: %w", err)
		}
		if len(d) >= maxDoubles {
			break
		}
	}
	return d, nil
}

func (p *pass) doublesOf(ctx context.Context, start int64, d *doubles) error {
	within := func(margin int64) string {
		return fmt.Sprintf("ts >= fromUnixTimestamp64Milli(toInt64(%d), 'UTC') AND ts < fromUnixTimestamp64Milli(toInt64(%d), 'UTC')",
			1000*(start-margin), 1000*(start+3600+margin))
	}
	rows, err := p.conn.Query(heavy(ctx), fmt.Sprintf(askDoubles, within(0), maxDoubles))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var one doubled
		var copies uint64
		if err := rows.Scan(&one.epoch, &one.seq, &one.idx, &one.hour.license, &one.hour.hour, &copies); err != nil {
			return err
		}
		one.extra = int64(copies) - 1
		*d = append(*d, one)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return p.repeatsOf(ctx, start, within(int64(repeatWindow/time.Second)), d)
}

// repeatsOf keeps the first copy of a sample, and any that came more than the window after the one kept before.
func (p *pass) repeatsOf(ctx context.Context, start int64, within string, d *doubles) error {
	rows, err := p.conn.Query(heavy(ctx), fmt.Sprintf(askRepeats, within, maxDoubles))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k hourKey
		var received, hours []int64
		var epochs, seqs []uint64
		var idxs []uint16
		if err := rows.Scan(&k.license, &received, &epochs, &seqs, &idxs, &hours); err != nil {
			return err
		}
		kept := received[0]
		for i := 1; i < len(received); i++ {
			if received[i]-kept > repeatWindow.Milliseconds() {
				kept = received[i]
				continue
			}
			if hours[i] != start { // found again when its own hour is looked at
				continue
			}
			k.hour = start
			*d = append(*d, doubled{identity{epochs[i], seqs[i], idxs[i]}, k, 1, true})
		}
	}
	return rows.Err()
}

// copyRows links the day's parts into a table beside; inserts are held off, so these are the noted ones.
func (h *healing) copyRows(ctx context.Context) error {
	err := h.beside(ctx, "samples")
	if err == nil {
		err = h.conn.Exec(heavy(ctx), "ALTER TABLE corrosion."+stagingPrefix+"samples ATTACH PARTITION '"+h.day.Format(time.DateOnly)+"' FROM corrosion.samples")
	}
	if err != nil {
		return fmt.Errorf("copy rows: %w", err)
	}
	return nil
}

// removeRows takes what is doubled out of the copy, and puts one of each identity back.
func (h *healing) removeRows(ctx context.Context) error {
	staging := "corrosion." + stagingPrefix + "samples"
	statements := []string{"ALTER TABLE " + staging + " DELETE WHERE (epoch, seq, idx) IN (" + h.doubles.list(false) + ")"}
	if stay := h.doubles.list(true); stay != "" {
		statements = append(statements, "INSERT INTO "+staging+" SELECT * FROM corrosion.samples WHERE toDate(ts) = '"+h.day.Format(time.DateOnly)+
			"' AND "+partsIn(h.noted["samples"])+" AND (epoch, seq, idx) IN ("+stay+") LIMIT 1 BY epoch, seq, idx")
	}
	for _, statement := range statements {
		if err := h.conn.Exec(heavy(ctx), statement); err != nil {
			return fmt.Errorf("remove doubled rows: %w", err)
		}
	}
	return nil
}
