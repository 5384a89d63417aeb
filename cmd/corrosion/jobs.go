package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"corrosion/aggregator"
	"corrosion/schema/pause"
	"corrosion/schema/pg"
)

type jobsCommand struct {
	List jobsListCommand `cmd:"" default:"withargs" help:"List what jobs have done, newest first."`
	Run  jobsRunCommand  `cmd:"" help:"Run a job now and wait for it."`
}

type jobsListCommand struct {
	services
	Job   string `help:"Only runs of this job."`
	Limit int    `default:"20" help:"How many at most, 1 to 1000."`
}

// Run prints one line a run.
func (c *jobsListCommand) Run(e *env) (err error) {
	if err := c.find(&c.PostgresURL); err != nil {
		return err
	}
	r := newRoles(c.services, logging{LogLevel: "warn"}.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if err := r.openPostgres(e.ctx); err != nil {
		return err
	}
	runs, err := aggregator.NewJobs(r.pool).List(e.ctx, c.Job, c.Limit)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "STARTED\tJOB\tCAUSE\tSTATE\tTOOK\tCHECKED\tHEALED\tREMOVED\tWINDOW\tINSTANCE\tDETAIL")
	for i := range runs {
		run := &runs[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", run.StartedAt.UTC().Format(time.RFC3339), run.Job, run.Cause, stateOf(run),
			time.Duration(run.DurationMs)*time.Millisecond, run.HoursChecked, run.HoursHealed, run.RowsRemoved, windowOf(run), run.Instance, detailOf(run))
	}
	return w.Flush()
}

func stateOf(run *pg.JobRun) string {
	switch {
	case run.FinishedAt == nil:
		return "running"
	case run.Error != "":
		return "failed"
	}
	return "ok"
}

func windowOf(run *pg.JobRun) string {
	if run.WindowFrom == nil || run.WindowTo == nil {
		return "-"
	}
	return run.WindowFrom.UTC().Format(time.DateOnly) + ".." + run.WindowTo.UTC().Format(time.DateOnly)
}

// detailOf is the error's first line, or what the job noted.
func detailOf(run *pg.JobRun) string {
	if run.Error != "" {
		line, _, _ := strings.Cut(run.Error, "\n")
		return line
	}
	if string(run.Detail) == "{}" {
		return ""
	}
	return string(run.Detail)
}

type jobsRunCommand struct {
	services
	Job  string    `arg:"" help:"The job: verify looks at every hour that changed, or, with --from or --to, at all hours of that time."`
	From time.Time `format:"2006-01-02T15:04:05Z07:00" help:"Begin of the time to look at (RFC 3339)."`
	To   time.Time `format:"2006-01-02T15:04:05Z07:00" help:"End of the time to look at (RFC 3339)."`
}

// turnPoll is how often a run that waits for another one looks again.
const turnPoll = 500 * time.Millisecond

// runInTurn runs the job once no other run holds its lock; the other may take minutes, and whoever waits sees for how long.
func (c *jobsRunCommand) runInTurn(e *env, a *aggregator.Aggregator, progress func(done, total int64)) (aggregator.Figures, error) {
	begun := time.Now()
	for told := -time.Minute; ; {
		f, err := a.RunNow(e.ctx, c.Job, aggregator.Manual, aggregator.Window{From: c.From, To: c.To}, progress)
		if !errors.Is(err, aggregator.ErrBusy) {
			return f, err
		}
		if waited := time.Since(begun); waited-told >= 10*time.Second {
			fmt.Fprintf(e.stderr, "waiting for another run to end (%s so far; `corrosion jobs` shows it, Ctrl-C stops waiting)\n", waited.Round(time.Second))
			told = waited
		}
		if !pause.For(e.ctx, turnPoll) {
			return f, e.ctx.Err()
		}
	}
}

// Run runs one job in this process, after another run of it.
func (c *jobsRunCommand) Run(e *env) (err error) {
	if !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To) {
		return errors.New("--from must be before --to")
	}
	if err := c.find(&c.PostgresURL, &c.ClickHouseURL); err != nil {
		return err
	}
	r := newRoles(c.services, logging{LogLevel: "warn"}.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if err := r.openPostgres(e.ctx); err != nil {
		return err
	}
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	a, err := r.newAggregator()
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // nothing was started
	bar := newProgress(e.stderr, c.Job, "steps")
	f, err := c.runInTurn(e, a, bar.update)
	bar.finish()
	switch {
	case errors.Is(err, aggregator.ErrUnknownJob):
		return fmt.Errorf("no job %q: there are %s", c.Job, strings.Join(a.Names(), ", "))
	case err != nil:
		return err
	}
	fmt.Fprintf(e.stdout, "%d hours checked, %d healed, %d rows removed\n", f.Checked, f.Healed, f.Removed)
	for name, value := range f.Detail {
		fmt.Fprintf(e.stdout, "%s: %v\n", name, value)
	}
	return nil
}
