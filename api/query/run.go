package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ClickHouse's own codes of errors that say that a query was too much.
const (
	codeTimeout      = 159
	codeMemory       = 241
	codeTooManyBytes = 307
	codeTooManyRows  = 158
	codeResultRows   = 396
	// codeTooManyQueries says that ClickHouse is busy, whatever was asked.
	codeTooManyQueries = 202
)

// answerGrace is how long after the timeout ClickHouse may take to say so.
const answerGrace = 3 * time.Second

var errNoAnswer = errors.New("no answer in time")

// runner asks ClickHouse; nothing else in the package does.
type runner struct {
	conn driver.Conn
	cfg  Config
}

// query runs one statement and hands each row to scan. A scan that returns an error, an ended context and the timeout end the
// query in ClickHouse too. Errors wrap ErrUnavailable, ErrTooHeavy or the context's error where these are the cause.
func (r runner) query(ctx context.Context, s statement, scan func(driver.Rows) error) (err error) {
	if r.cfg.OnQuery != nil {
		defer func(begun time.Time) { r.cfg.OnQuery(ctx, s.name, time.Since(begun), err) }(time.Now())
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	rows, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(r.settings(s))), s.text, s.args...)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, classify(ctx, err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", s.name, classify(ctx, err))
	}
	return nil
}

// bounded gives up on a ClickHouse that has not even said that the time is up. It is no deadline: the driver would put its
// own limit in the place of max_execution_time, and a slow query would look like a store that is away.
func (r runner) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(r.cfg.Timeout+answerGrace, func() { cancel(errNoAnswer) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// settings bound a query where it runs.
func (r runner) settings(s statement) clickhouse.Settings {
	settings := clickhouse.Settings{
		"log_comment":          "api/query " + s.name,
		"max_execution_time":   math.Ceil(r.cfg.Timeout.Seconds()),
		"max_result_rows":      2 * r.cfg.MaxValues,
		"result_overflow_mode": "throw",
		// Statements are asked with other expressions too rarely, and read too little, for compiled ones to pay: without
		// them a summary takes 0.6 of the CPU (docs/benchmarks.md).
		"compile_expressions": 0, "compile_aggregate_expressions": 0, "compile_sort_description": 0,
	}
	if r.cfg.MaxMemory > 0 {
		settings["max_memory_usage"] = r.cfg.MaxMemory
		settings["max_bytes_before_external_group_by"] = r.cfg.MaxMemory / 2
	}
	return settings
}

// classify joins to err what kind it is of.
func classify(ctx context.Context, err error) error {
	var exception *clickhouse.Exception
	var network net.Error
	switch {
	case errors.As(err, &exception):
		if slices.Contains([]int32{codeTimeout, codeMemory, codeTooManyBytes, codeTooManyRows, codeResultRows}, exception.Code) {
			return fmt.Errorf("%w: %w", ErrTooHeavy, err)
		}
		if exception.Code == codeTooManyQueries {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTooHeavy, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, clickhouse.ErrAcquireConnTimeout), errors.Is(err, clickhouse.ErrAcquireConnNoAddress), errors.Is(err, clickhouse.ErrServerUnexpectedData):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// estimate is about how much a range holds.
type estimate struct {
	samples uint64
	servers uint64
}

func (r runner) estimate(ctx context.Context, s statement) (e estimate, err error) {
	err = r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&e.samples, &e.servers) })
	return e, err
}

// seriesRow is one bucket of one server ("" where series are not split), with a value for each metric of its statement.
type seriesRow struct {
	bucket  int64
	server  string
	values  []*float64
	servers uint64
}

// series runs a statement of a timeseries. The row that each gets is used again for the next one.
func (r runner) series(ctx context.Context, s statement, each func(names []string, row *seriesRow) error) error {
	var row seriesRow
	var names []string
	var targets []any
	return r.query(ctx, s, func(rows driver.Rows) error {
		if targets == nil {
			names = rows.Columns()
			targets = seriesTargets(&row, names)
		}
		clear(row.values)
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		return each(names, &row)
	})
}

// seriesTargets are where the columns of a row go: bucket, server, v<index>…, and servers where bounds are asked for.
func seriesTargets(row *seriesRow, names []string) []any {
	targets := []any{&row.bucket, &row.server}
	row.values = make([]*float64, 0, len(names))
	for _, name := range names[2:] {
		if name == "servers" {
			targets = append(targets, &row.servers)
			continue
		}
		row.values = append(row.values, nil)
		targets = append(targets, &row.values[len(row.values)-1])
	}
	return targets
}

// digits are those that a float64 holds of every decimal number; what is beyond comes from the order in which shares of a
// total were added: 2888.9999999999995.
const digits = 15

// number makes a value of ClickHouse, in its place, one of an answer: NaN and infinities are no numbers, so they are nil.
func number(v *float64) *float64 {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return nil
	}
	if *v == math.Trunc(*v) && math.Abs(*v) < 1<<53 {
		return v
	}
	var text [32]byte
	rounded, err := strconv.ParseFloat(string(strconv.AppendFloat(text[:0], *v, 'g', digits, 64)), 64)
	if err == nil { // else it was among the largest, and is kept
		*v = rounded
	}
	return v
}

func timeOf(millis int64) *time.Time {
	t := time.UnixMilli(millis).UTC()
	return &t
}
