package replay

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"corrosion/ingest/publish"
)

// Reason is why something was left out.
type Reason string

// Reasons that cost a row.
const (
	BadLine  Reason = "bad-line"  // not CSV with the header's columns, not a JSON object
	BadTime  Reason = "bad-time"  // empty or unreadable
	TooOld   Reason = "too-old"   // more than 90 days behind now, after the shift
	InFuture Reason = "in-future" // more than 5 minutes ahead of now, after the shift
	NoServer Reason = "no-server" // empty server
	NoValues Reason = "no-values" // no measured value, or none that was good
)

// Reasons that cost a cell.
const (
	BadNumber  Reason = "bad-number"   // not a number
	NotFinite  Reason = "not-finite"   // NaN or infinite
	Negative   Reason = "negative"     // where it cannot be
	Fraction   Reason = "fraction"     // in an integer field
	OutOfRange Reason = "out-of-range" // of the field's type
	TextLength Reason = "text-length"  // map, version or boot over 128 bytes
	OddName    Reason = "odd-name"     // no metric's name in a long row
)

// CostsRow tells whether the reason costs a whole row, or only a cell of it.
func (r Reason) CostsRow() bool {
	return slices.Contains([]Reason{BadLine, BadTime, TooOld, InFuture, NoServer, NoValues}, r)
}

const (
	maxExamples = 3
	maxNames    = 20
)

// Example is one thing that was left out.
type Example struct {
	File   string
	Line   int
	Detail string
}

// Rejected counts what was left out for one reason, with the first three examples.
type Rejected struct {
	Reason   Reason
	Count    uint64
	Examples []Example
}

// Pair is a name of the source and what became of it.
type Pair struct{ Source, Name string }

// Collision is two servers of the source that became one.
type Collision struct{ First, Second, ServerID string }

// Ignored is a column without numbers, and how many cells it had.
type Ignored struct {
	Column string
	Cells  uint64
}

// Report says what a replay published and what it left out.
type Report struct {
	Rows       uint64         // read
	Cut        uint64         // rows outside From and To
	Samples    uint64         // given to the publisher
	Published  publish.Counts // what became of them
	Rejected   []Rejected     // most frequent first
	Ignored    []Ignored      // text columns
	Split      uint64         // samples made of rows with more than 256 metrics, beyond the first of each row
	AssumedUTC uint64         // times without a zone
	Shift      time.Duration  // whole days added to every time
	From, To   time.Time      // oldest and newest sample published, after the shift
	// Servers and Metrics are the first twenty names that had to change; the counts are of all.
	Servers      []Pair
	ServersCount int
	Metrics      []Pair
	MetricsCount int
	// Collisions are different servers that now share an id; the first twenty.
	Collisions      []Collision
	CollisionsCount int
	Elapsed         time.Duration
}

// RejectedRows is how many rows were left out.
func (r *Report) RejectedRows() uint64 { return r.sum(true) }

// RejectedCells is how many cells were left out of rows.
func (r *Report) RejectedCells() uint64 { return r.sum(false) }

func (r *Report) sum(rows bool) (n uint64) {
	for _, x := range r.Rejected {
		if x.Reason.CostsRow() == rows {
			n += x.Count
		}
	}
	return n
}

func (r *Report) reject(reason Reason, file string, line int, detail string) {
	i := slices.IndexFunc(r.Rejected, func(x Rejected) bool { return x.Reason == reason })
	if i < 0 {
		i = len(r.Rejected)
		r.Rejected = append(r.Rejected, Rejected{Reason: reason})
	}
	x := &r.Rejected[i]
	x.Count++
	if len(x.Examples) < maxExamples {
		if len(detail) > 200 {
			detail = detail[:200] + "…"
		}
		x.Examples = append(x.Examples, Example{File: file, Line: line, Detail: strings.ToValidUTF8(detail, "?")})
	}
}

func (r *Report) renamedServer(source, name string) {
	r.ServersCount++
	if len(r.Servers) < maxNames {
		r.Servers = append(r.Servers, Pair{source, name})
	}
}

func (r *Report) renamedMetric(source, name string) {
	r.MetricsCount++
	if len(r.Metrics) < maxNames {
		r.Metrics = append(r.Metrics, Pair{source, name})
	}
}

func (r *Report) collided(first, second, id string) {
	r.CollisionsCount++
	if len(r.Collisions) < maxNames {
		r.Collisions = append(r.Collisions, Collision{first, second, id})
	}
}

func (r *Report) published(ms int64) {
	t := time.UnixMilli(ms).UTC()
	if r.From.IsZero() || t.Before(r.From) {
		r.From = t
	}
	if t.After(r.To) {
		r.To = t
	}
	r.Samples++
}

// Write prints the report for a person.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%d rows read, %d samples published, %d stored, %d refused, in %.1f s", r.Rows, r.Samples, r.Published.Acked, r.Published.Refused, r.Elapsed.Seconds())
	if r.Samples > 0 {
		line("from %s to %s, shifted by %d days", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), int(r.Shift.Hours()/24))
	}
	counted := func(n uint64, what string) {
		if n > 0 {
			line("%d %s", n, what)
		}
	}
	counted(r.Cut, "rows outside from and to")
	counted(r.AssumedUTC, "times without a zone, taken as UTC")
	counted(r.Split, "more samples because rows had over 256 metrics")
	for _, x := range r.Rejected {
		unit := "cells"
		if x.Reason.CostsRow() {
			unit = "rows"
		}
		line("rejected %d %s: %s", x.Count, unit, x.Reason)
		for _, e := range x.Examples {
			line("    %s:%d: %s", e.File, e.Line, e.Detail)
		}
	}
	for _, x := range r.Ignored {
		line("ignored column %s: %d cells of text", x.Column, x.Cells)
	}
	r.writeNames(line)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeNames(line func(string, ...any)) {
	if r.ServersCount > 0 {
		line("%d server ids had to change", r.ServersCount)
	}
	for _, p := range r.Servers {
		line("    %q is now %s", p.Source, p.Name)
	}
	if r.CollisionsCount > 0 {
		line("%d servers share an id with another", r.CollisionsCount)
	}
	for _, c := range r.Collisions {
		line("    %q and %q are both %s", c.First, c.Second, c.ServerID)
	}
	if r.MetricsCount > 0 {
		line("%d metric names had to change", r.MetricsCount)
	}
	for _, p := range r.Metrics {
		line("    %q is now %s", p.Source, p.Name)
	}
}
