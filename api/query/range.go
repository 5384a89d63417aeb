package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"corrosion/schema"
)

const (
	day = 24 * time.Hour
	// DefaultRange is what is answered when no range is asked for.
	DefaultRange = day
	// maxRange bounds a range; where the hours are kept longer, their retention does.
	maxRange = 400 * day
	// wholeMinutesFrom is from which length on a range before now begins on a whole minute, at most a minute early: the
	// minute that it would cut could only be read from raw samples, among all those of its day.
	wholeMinutesFrom = time.Hour
	// epochMillisAbove is where bare numbers stop being seconds: as seconds it lies in the year 5138.
	epochMillisAbove = 100_000_000_000
	// maxEpochSeconds is the last second that ClickHouse's DateTime can hold, less the longest range.
	maxEpochSeconds = 1<<32 - 1 - int64(maxRange/time.Second)
)

// RangeParams are the parameters of a range as they were sent; empty means absent.
type RangeParams struct {
	Range string
	From  string
	To    string
}

// ParseRange reads a range, given in exactly one way: as a length before now (`<n>m`, `<n>h`, `<n>d`, or bare hours), or as from
// and to (RFC 3339 or epoch), where an absent to means now. A length from an hour to raw
// retention begins on a whole minute, at most a minute early. Nothing at all means the last 24 hours. Times are cut to ms.
func ParseRange(p RangeParams, now time.Time, retention schema.Retention) (Range, []Fault) {
	now = now.UTC().Truncate(time.Millisecond)
	switch {
	case p.Range != "" && (p.From != "" || p.To != ""):
		return Range{}, []Fault{{"query.range", "give either range or from and to, not both", p.Range}}
	case p.From != "" || p.To != "":
		return parseFromTo(p, now, retention)
	}
	length := DefaultRange
	if p.Range != "" {
		var fault *Fault
		if length, fault = parseLength(p.Range, longest(retention)); fault != nil {
			return Range{}, []Fault{*fault}
		}
	}
	from := now.Add(-length)
	if length >= wholeMinutesFrom && length <= retention.Raw {
		from = from.Truncate(time.Minute)
	}
	return Range{From: from, To: now}, nil
}

func longest(retention schema.Retention) time.Duration { return max(maxRange, retention.Hourly) }

func parseLength(text string, most time.Duration) (time.Duration, *Fault) {
	digits, unit := text, time.Hour
	switch text[len(text)-1] {
	case 'm':
		digits, unit = text[:len(text)-1], time.Minute
	case 'h':
		digits = text[:len(text)-1]
	case 'd':
		digits, unit = text[:len(text)-1], day
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, &Fault{"query.range", "is not a number of minutes (30m), hours (24h or 24) or days (7d)", text}
	}
	if n == 0 || n > uint64(most/unit) {
		return 0, &Fault{"query.range", fmt.Sprintf("must be more than nothing and at most %d days", most/day), text}
	}
	return time.Duration(n) * unit, nil
}

func parseFromTo(p RangeParams, now time.Time, retention schema.Retention) (Range, []Fault) {
	if p.From == "" {
		return Range{}, []Fault{{"query.from", "is missing: to needs it", nil}}
	}
	var faults []Fault
	from, fault := parseTime("query.from", p.From)
	if fault != nil {
		faults = append(faults, *fault)
	}
	to := now
	if p.To != "" {
		if to, fault = parseTime("query.to", p.To); fault != nil {
			faults = append(faults, *fault)
		}
	}
	if faults != nil {
		return Range{}, faults
	}
	r := Range{From: from, To: to}
	if fault := r.check(longest(retention)); fault != nil {
		fault.Value = p.From
		return Range{}, []Fault{*fault}
	}
	return r, nil
}

// whole is the range in UTC, cut to ms.
func (r Range) whole() Range {
	return Range{From: r.From.UTC().Truncate(time.Millisecond), To: r.To.UTC().Truncate(time.Millisecond)}
}

// check says what is wrong with the range as a whole.
func (r Range) check(most time.Duration) *Fault {
	switch {
	case !r.From.Before(r.To):
		return &Fault{"query.from", "must be before to", r.From}
	case r.To.Sub(r.From) > most:
		return &Fault{"query.from", fmt.Sprintf("lies more than %d days before to", most/day), r.From}
	case r.From.Unix() < 0 || r.To.Unix() > maxEpochSeconds:
		return &Fault{"query.from", "lies outside the years that can be stored", r.From}
	}
	return nil
}

func parseTime(location, text string) (time.Time, *Fault) {
	if t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil {
		return inYears(location, text, t.UTC().Truncate(time.Millisecond))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' {
		return time.Time{}, &Fault{location, "is neither RFC 3339 (2026-01-31T12:00:00Z) nor an epoch in s or ms", text}
	}
	if n > epochMillisAbove {
		return inYears(location, text, time.UnixMilli(n).UTC())
	}
	return inYears(location, text, time.Unix(n, 0).UTC())
}

func inYears(location, text string, t time.Time) (time.Time, *Fault) {
	if t.Unix() < 0 || t.Unix() > maxEpochSeconds {
		return time.Time{}, &Fault{location, "lies outside the years that can be stored", text}
	}
	return t, nil
}
