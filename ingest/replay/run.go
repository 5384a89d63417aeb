package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"corrosion/schema"
)

const (
	// flushWait is how long a stopped replay waits for the last acknowledgements.
	flushWait = 10 * time.Second
	// oldMargin keeps rows that would turn too old on their way from being sent.
	oldMargin = time.Minute
	// checkRows is how many rows go by between two looks at the context and the clock for Progress.
	checkRows     = 256
	progressEvery = 100 * time.Millisecond
)

// stopped wraps an error that ends the whole replay, not only the file at hand.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// replay is one run.
type replay struct {
	Options
	log      *slog.Logger
	report   *Report
	limiter  *rate.Limiter
	done     int64 // bytes read in this phase
	total    int64
	reported time.Time
}

// Run publishes o.Files and waits until JetStream has stored everything. The report is good also beside an error: a file
// that cannot be read to its end costs its rest, a stop by ctx what was not yet read.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	r := &replay{Options: o, log: o.Logger, report: &Report{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if o.Rate > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate/20)))
	}
	start, before := time.Now(), o.Publisher.Counts()
	err := r.run(ctx)
	flushCtx, cancel := ctx, context.CancelFunc(func() {})
	if ctx.Err() != nil {
		flushCtx, cancel = context.WithTimeout(context.WithoutCancel(ctx), flushWait)
	}
	defer cancel()
	counts, flushErr := o.Publisher.Flush(flushCtx)
	counts.Sent -= before.Sent
	counts.Acked -= before.Acked
	counts.Refused -= before.Refused
	counts.Messages -= before.Messages
	counts.Retries -= before.Retries
	counts.Bytes -= before.Bytes
	counts.PlainBytes -= before.PlainBytes
	r.report.Published, r.report.Elapsed = counts, time.Since(start)
	return *r.report, errors.Join(err, flushErr)
}

func (r *replay) run(ctx context.Context) error {
	list, remove, err := sources(r.Options, r.AlignNow)
	defer remove()
	if err != nil {
		return err
	}
	for _, s := range list {
		r.total += s.size
	}
	if slices.ContainsFunc(list, func(s source) bool { return s.size == 0 }) {
		r.total = 0
	}
	if r.AlignNow {
		if err := r.align(ctx, list); err != nil {
			return err
		}
	}
	return r.publish(ctx, list)
}

// align finds the newest sample and from it the shift.
func (r *replay) align(ctx context.Context, list []source) error {
	// The columns of this pass are its own: nothing it sees is counted.
	cols, err := newColumns(r.Options, &Report{})
	if err != nil {
		return err
	}
	newest, found := int64(math.MinInt64), false
	err = r.each(ctx, "scan", list, cols, func(_ string, in *row, bad *lineError) error {
		if bad != nil {
			return nil
		}
		if ts, _, err := parseTime(in.time); err == nil && r.inRange(ts) {
			newest, found = max(newest, ts), true
		}
		return nil
	})
	if stop := (stopped{}); errors.As(err, &stop) {
		return err
	}
	if !found {
		return errors.Join(err, errors.New("align: no row has a readable time between from and to"))
	}
	now := r.now().UnixMilli()
	shift := dayShift(newest, now)
	r.report.Shift = time.Duration(shift) * time.Millisecond
	r.log.Info("align to now", "newest", time.UnixMilli(newest).UTC(), "shift_days", shift/(24*60*60*1000))
	return nil
}

// publish sends every row that is good.
func (r *replay) publish(ctx context.Context, list []source) error {
	cols, err := newColumns(r.Options, r.report)
	if err != nil {
		return err
	}
	ids := newServers(r.report)
	build := newBuilder(cols, r.report, func(s *schema.Sample) error { return r.send(ctx, s) })
	err = r.each(ctx, "publish", list, cols, func(file string, in *row, bad *lineError) error {
		r.report.Rows++
		if bad != nil {
			r.report.reject(BadLine, file, bad.line, bad.detail)
			return nil
		}
		ts, ok := r.timeOf(file, in)
		if !ok {
			return nil
		}
		server := r.ServerID
		if server == "" {
			server = ids.clean(in.server)
		}
		if server == "" {
			r.report.reject(NoServer, file, in.line, "server is empty")
			return nil
		}
		if in.long {
			return build.long(file, in, server, ts)
		}
		return build.wide(file, in, server, ts)
	})
	if stop := (stopped{}); !errors.As(err, &stop) {
		err = errors.Join(err, build.flush())
	}
	r.finish(cols)
	return err
}

// timeOf is when the row was measured, shifted; false when it is left out.
func (r *replay) timeOf(file string, in *row) (int64, bool) {
	ts, assumed, err := parseTime(in.time)
	if err != nil {
		r.report.reject(BadTime, file, in.line, fmt.Sprintf("%q: %v", in.time, err))
		return 0, false
	}
	if !r.inRange(ts) {
		r.report.Cut++
		return 0, false
	}
	if assumed {
		r.report.AssumedUTC++
	}
	ts += r.report.Shift.Milliseconds()
	now := r.now().UnixMilli()
	switch {
	case ts < now-(schema.MaxBehind-oldMargin).Milliseconds():
		r.report.reject(TooOld, file, in.line, in.time+" is more than 90 days back")
		return 0, false
	case ts > now+schema.MaxAhead.Milliseconds():
		r.report.reject(InFuture, file, in.line, in.time+" is more than 5 minutes ahead")
		return 0, false
	}
	return ts, true
}

func (r *replay) inRange(ts int64) bool {
	return (r.From.IsZero() || ts >= r.From.UnixMilli()) && (r.To.IsZero() || ts < r.To.UnixMilli())
}

func (r *replay) send(ctx context.Context, s *schema.Sample) error {
	if r.limiter != nil {
		if err := r.limiter.Wait(ctx); err != nil {
			return stopped{err}
		}
	}
	if err := r.Publisher.Add(ctx, s); err != nil {
		return stopped{err}
	}
	r.report.published(s.TS)
	return nil
}

// finish puts the report's lists in order.
func (r *replay) finish(cols *columns) {
	slices.SortStableFunc(r.report.Rejected, func(a, b Rejected) int { return cmp.Compare(b.Count, a.Count) })
	for _, c := range cols.byName {
		if c.ignored > 0 {
			r.report.Ignored = append(r.report.Ignored, Ignored{c.name, c.ignored})
		}
	}
	slices.SortFunc(r.report.Ignored, func(a, b Ignored) int { return cmp.Compare(a.Column, b.Column) })
}

// each calls visit for each row of each file; bad is set for a broken line. A file's fault is joined to the others' and
// does not keep the next from being read.
func (r *replay) each(ctx context.Context, phase string, list []source, cols *columns, visit func(string, *row, *lineError) error) error {
	r.done = 0
	var faults []error
	for _, s := range list {
		err := r.file(ctx, phase, s, cols, visit)
		if stop := (stopped{}); errors.As(err, &stop) {
			return errors.Join(append(faults, err)...)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("read %s: %w", s.name, err))
		}
	}
	r.progress(phase, true)
	return errors.Join(faults...)
}

func (r *replay) file(ctx context.Context, phase string, s source, cols *columns, visit func(string, *row, *lineError) error) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	in, end, err := decompressed(counter{f, func(n int) { r.done += int64(n) }})
	if err != nil {
		return err
	}
	defer end()
	format := formatOf(in)
	if r.Format != "" {
		format = r.Format
	}
	var lines rows
	if format == formatNDJSON {
		lines, err = newNDJSON(in, r.Options, cols)
	} else {
		lines, err = newCSV(in, r.Options, cols)
	}
	if err != nil {
		return err
	}
	var at row
	for n := 0; ; n++ {
		if n%checkRows == 0 {
			if ctx.Err() != nil {
				return stopped{context.Cause(ctx)}
			}
			r.progress(phase, false)
		}
		bad := (*lineError)(nil)
		switch err := lines.next(&at); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.As(err, &bad):
			return err
		}
		if err := visit(s.name, &at, bad); err != nil {
			return err
		}
	}
}

func (r *replay) progress(phase string, last bool) {
	if r.Progress == nil || !last && time.Since(r.reported) < progressEvery {
		return
	}
	r.reported = time.Now()
	r.Progress(Progress{Phase: phase, Done: r.done, Total: r.total, Samples: r.report.Samples})
}
