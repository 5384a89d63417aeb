package aggregator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// hourKey is one hour of one license: what is compared, and rebuilt as a whole.
type hourKey struct {
	license uuid.UUID
	hour    int64 // s since the epoch
}

func (k hourKey) start() time.Time { return time.Unix(k.hour, 0).UTC() }

// verdict is how a rollup's hour stands to its rows.
type verdict struct {
	// differs: some key or value is not what the rows give.
	differs bool
	// more: it counts more than the rows; beyond: it knows of something that no row has, so rows are gone.
	more, beyond bool
}

// scope is what is compared: hours of one day, of all rows or of the noted parts alone.
type scope struct {
	day   time.Time
	hours []hourKey
	// table is where the rows are; rows and kept restrict both sides further, as SQL; empty: nothing.
	table      string
	rows, kept string
}

// floatSlack is how far sums of floats may be apart that were added in another order, in parts of what was added.
const floatSlack = "1e-9"

// compareSQL joins what the view's SELECT gives with what the rollup keeps.
func (r *rollup) compareSQL(s scope) string {
	var counted, kept, on []string
	for _, key := range r.keys {
		counted, kept = append(counted, key), append(kept, key)
		on = append(on, "c."+key+" = k."+key)
	}
	for i := range r.columns {
		c := &r.columns[i]
		counted = append(counted, fmt.Sprintf("%s AS v%d", c.counted, i))
		kept = append(kept, fmt.Sprintf("%s AS v%d", c.kept, i))
	}
	differs, more, beyond := r.conditions()
	return "SELECT if(c.here = 1, c.license_id, k.license_id) AS license, toInt64(toUnixTimestamp(toStartOfHour(if(c.here = 1, c." + r.Time + ", k." + r.Time + ")))) AS h," +
		" max(c.here = 0 OR k.here = 0 OR " + differs + ") AS differs, max(c.here = 1 AND k.here = 1 AND (" + more + ")) AS more," +
		" max(c.here = 0 OR k.here = 1 AND (" + beyond + ")) AS beyond" +
		" FROM (SELECT 1 AS here, " + strings.Join(counted, ", ") + " FROM (" + r.source(s.table, s.rowFilter()) + ")) AS c" +
		" FULL OUTER JOIN (SELECT 1 AS here, " + strings.Join(kept, ", ") + " FROM corrosion." + r.Table +
		" WHERE " + s.keptFilter(r.Time) + " GROUP BY " + strings.Join(r.keys, ", ") + ") AS k" +
		" ON " + strings.Join(on, " AND ") + " GROUP BY license, h HAVING differs SETTINGS join_use_nulls = 0"
}

// conditions compare the values of one key.
func (r *rollup) conditions() (differs, more, beyond string) {
	var d, m, b []string
	for i := range r.columns {
		c := &r.columns[i]
		has, want := fmt.Sprintf("k.v%d", i), fmt.Sprintf("c.v%d", i)
		switch {
		case c.function == "sum" && c.float:
			d = append(d, "NOT ("+has+" = "+want+" OR isNaN("+has+") AND isNaN("+want+") OR abs("+has+" - "+want+") <= "+floatSlack+" * "+r.scale(i)+")")
		case c.nullable:
			d = append(d, "ifNull(toString("+has+"), '\\\\N') != ifNull(toString("+want+"), '\\\\N')")
		default:
			d = append(d, has+" != "+want)
		}
		switch c.function {
		case "sum":
			if !c.float {
				m = append(m, has+" > "+want)
			}
		case "min":
			b = append(b, "ifNull("+has+" < "+want+", isNotNull("+has+"))")
		case "max":
			b = append(b, "ifNull("+has+" > "+want+", isNotNull("+has+"))")
		case "groupBitOr":
			b = append(b, "bitAnd("+has+", bitNot("+want+")) != 0")
		case "groupUniqArrayArray":
			b = append(b, "NOT hasAll("+want+", "+has+")")
		}
	}
	return or(d), or(m), or(b)
}

// scale is how much was added up in a float sum: the count times the largest value, where the rollup has them.
func (r *rollup) scale(sum int) string {
	prefix := strings.TrimSuffix(r.columns[sum].name, "sum")
	places := map[string]int{}
	for i := range r.columns {
		places[r.columns[i].name] = i
	}
	n, hasCount := places[prefix+"count"]
	least, hasMin := places[prefix+"min"]
	most, hasMax := places[prefix+"max"]
	if hasCount && hasMin && hasMax {
		return fmt.Sprintf("(k.v%d + 1) * greatest(abs(ifNull(k.v%d, 0)), abs(ifNull(k.v%d, 0)))", n, least, most)
	}
	return fmt.Sprintf("greatest(abs(k.v%d), abs(c.v%d))", sum, sum)
}

func or(conditions []string) string {
	if len(conditions) == 0 {
		return "0"
	}
	return strings.Join(conditions, " OR ")
}

func (s *scope) rowFilter() string {
	filter := "toDate(ts) = '" + s.day.Format(time.DateOnly) + "' AND (license_id, toStartOfHour(ts)) IN (" + hourList(s.hours) + ")"
	if s.rows != "" {
		filter += " AND " + s.rows
	}
	return filter
}

func (s *scope) keptFilter(column string) string {
	filter := "toDate(" + column + ") = '" + s.day.Format(time.DateOnly) + "' AND (license_id, toStartOfHour(" + column + ")) IN (" + hourList(s.hours) + ")"
	if s.kept != "" {
		filter += " AND " + s.kept
	}
	return filter
}

// hourList is a list of tuples in SQL.
func hourList(hours []hourKey) string {
	var list strings.Builder
	for i, k := range hours {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, "(toUUID('%s'),toDateTime(%d,'UTC'))", k.license, k.hour)
	}
	return list.String()
}

// compareAtOnce bounds the hours of one comparison.
const compareAtOnce = 2000

// compare gives the hours that differ, of those that the rollup still keeps.
func (p *pass) compare(ctx context.Context, r *rollup, s scope) (map[hourKey]verdict, error) {
	found := map[hourKey]verdict{}
	all := slices.DeleteFunc(slices.Clone(s.hours), func(k hourKey) bool { return k.start().Before(r.gone) })
	for len(all) > 0 {
		n := min(len(all), compareAtOnce)
		s.hours, all = all[:n], all[n:]
		if err := p.compareSome(ctx, r, s, found); err != nil {
			return nil, fmt.Errorf("compare %s with its rows: %w", r.Table, err)
		}
	}
	return found, nil
}

func (p *pass) compareSome(ctx context.Context, r *rollup, s scope, into map[hourKey]verdict) error {
	rows, err := p.conn.Query(heavy(ctx), r.compareSQL(s))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k hourKey
		var differs, more, beyond uint8
		if err := rows.Scan(&k.license, &k.hour, &differs, &more, &beyond); err != nil {
			return err
		}
		into[k] = verdict{differs != 0, more != 0, beyond != 0}
	}
	return rows.Err()
}
