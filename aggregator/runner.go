package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jackc/pgx/v5"

	"corrosion/schema/pg"
)

const (
	// maxAttempts is how often one occurrence is tried before the next one takes over.
	maxAttempts = 5
	// runLimit bounds a run that has no limit of its own.
	runLimit = time.Hour
	// catchUpEvery is how often it is looked whether an occurrence was missed, failed, or left by one that died.
	catchUpEvery = 20 * time.Second
	// retryAfter is how long a failed occurrence waits at least.
	retryAfter = time.Minute
)

// Runner runs jobs: on their schedules through gocron, at start, on events and by hand.
type Runner struct {
	db       pg.DBTX
	history  *Jobs
	locker   *locker
	instance string
	log      *slog.Logger
	now      func() time.Time
	observe  func(job string, cause Cause, took time.Duration, f Figures, err error)

	mu   sync.Mutex // covers jobs
	jobs []Job

	cron   gocron.Scheduler
	ctx    context.Context // of everything that runs; ends with Close
	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// newRunner keeps runs in db; postgresURL is for locks, which need connections of their own.
func newRunner(db pg.DBTX, postgresURL, instance string, log *slog.Logger) *Runner {
	r := &Runner{db: db, history: NewJobs(db), instance: instance, log: log, now: time.Now,
		observe: func(string, Cause, time.Duration, Figures, error) {}}
	r.locker = newLocker(postgresURL, func(job string) string {
		if j, err := r.job(job); err == nil && j.Lock != "" {
			return j.Lock
		}
		return job
	})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Register adds a job; call it before Start.
func (r *Runner) Register(j Job) error {
	if err := j.validate(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.jobs, func(other Job) bool { return other.Name == j.Name }) {
		return fmt.Errorf("job %s is registered twice", j.Name)
	}
	r.jobs = append(r.jobs, j)
	return nil
}

// Names are the registered jobs.
func (r *Runner) Names() []string {
	var names []string
	for _, j := range r.all() {
		names = append(names, j.Name)
	}
	return names
}

func (r *Runner) all() []Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.jobs)
}

func (r *Runner) job(name string) (Job, error) {
	for _, j := range r.all() {
		if j.Name == name {
			return j, nil
		}
	}
	return Job{}, fmt.Errorf("%w: %q", ErrUnknownJob, name)
}

// Start schedules the jobs and returns; Close ends them.
func (r *Runner) Start() error {
	scheduler, err := gocron.NewScheduler(gocron.WithLocation(time.UTC), gocron.WithDistributedLocker(r.locker),
		gocron.WithLogger(cronLog{r.log}), gocron.WithStopTimeout(time.Minute))
	if err != nil {
		return fmt.Errorf("make scheduler: %w", err)
	}
	r.cron = scheduler
	for _, j := range r.all() {
		if j.Schedule == "" {
			continue
		}
		_, err := scheduler.NewJob(gocron.CronJob(j.Schedule, false), gocron.NewTask(r.onSchedule, j.Name),
			gocron.WithName(j.Name), gocron.WithSingletonMode(gocron.LimitModeReschedule))
		if err != nil {
			return fmt.Errorf("schedule job %s: %w", j.Name, err)
		}
	}
	scheduler.Start()
	r.loops.Go(r.catchUp)
	r.loops.Go(r.answerRequests)
	return nil
}

// Close ends what runs and waits for it.
func (r *Runner) Close() error {
	r.cancel()
	var err error
	if r.cron != nil {
		err = r.cron.Shutdown()
	}
	r.loops.Wait()
	return err
}

// onSchedule is gocron's task; its locker holds the lock around it.
func (r *Runner) onSchedule(name string) {
	j, err := r.job(name)
	held := r.locker.holding(name)
	due, ok := lastDue(j.Schedule, r.now().Add(time.Second)) // timers may be early by a hair
	if err != nil || held == nil || !ok {
		return
	}
	r.report(name, r.locked(r.ctx, held, j, &Run{Job: name, Cause: Scheduled, Scheduled: due}))
}

// RunNow runs a job at once, where no other run holds its lock (ErrBusy). progress may be nil.
func (r *Runner) RunNow(ctx context.Context, name string, cause Cause, asked Window, progress func(done, total int64)) (Figures, error) {
	j, err := r.job(name)
	if err != nil {
		return Figures{}, err
	}
	run := &Run{Job: name, Cause: cause, Scheduled: r.now().UTC().Truncate(time.Microsecond), Asked: asked, progress: progress}
	err = r.once(ctx, j, run)
	return run.Figures(), err
}

// once takes the lock and runs.
func (r *Runner) once(ctx context.Context, j Job, run *Run) error {
	held, err := r.locker.take(ctx, j.Name)
	if err != nil {
		return err
	}
	defer held.Unlock(ctx) //nolint:errcheck // it ends with its connection
	return r.locked(ctx, held, j, run)
}

// locked runs a job whose lock is held, and writes down what it did.
func (r *Runner) locked(ctx context.Context, held *heldLock, j Job, run *Run) error {
	id, err := r.history.claim(ctx, run, r.instance)
	if err != nil {
		return err
	}
	limit := j.Limit
	if limit == 0 {
		limit = runLimit
	}
	begun := r.now()
	bound, release := held.bound(ctx)
	bound, cancel := context.WithTimeout(bound, limit)
	err = j.Do(bound, run)
	if err != nil && context.Cause(bound) != nil {
		err = errors.Join(err, context.Cause(bound))
	}
	cancel()
	release()
	took := r.now().Sub(begun)
	r.observe(j.Name, run.Cause, took, run.Figures(), err)
	late, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	return errors.Join(err, r.history.finish(late, id, run, r.instance, took, err))
}

// report logs how a run ended that nobody waits for.
func (r *Runner) report(name string, err error) {
	switch {
	case err == nil, errors.Is(err, ErrBusy), errors.Is(err, ErrDone), r.ctx.Err() != nil:
	default:
		r.log.Error("job failed; it is tried again", "job", name, "error", err)
	}
}

// catchUp runs what is to run at start, and then what was missed, failed, or left by an aggregator that died.
func (r *Runner) catchUp() {
	for _, j := range r.all() {
		if j.AtStart {
			_, err := r.RunNow(r.ctx, j.Name, AtStart, Window{}, nil)
			r.report(j.Name, err)
		}
	}
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for {
		for _, j := range r.all() {
			if r.ctx.Err() == nil {
				r.report(j.Name, r.makeUp(j))
			}
		}
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// makeUp runs the newest due occurrence of a job unless it was done; older ones it stands for, too.
func (r *Runner) makeUp(j Job) error {
	due, ok := lastDue(j.Schedule, r.now().Add(-2*time.Second)) // gocron comes first
	if j.Schedule == "" || !ok {
		return nil
	}
	last, err := pg.New(r.db).FindJobRun(r.ctx, pg.FindJobRunParams{Job: j.Name, ScheduledAt: due})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return fmt.Errorf("look for missed runs: %w", err)
	case last.FinishedAt != nil && last.Error == "":
		return nil
	case last.FinishedAt != nil && (last.Attempts >= maxAttempts || r.now().Sub(*last.FinishedAt) < retryAfter):
		return nil
	}
	return r.once(r.ctx, j, &Run{Job: j.Name, Cause: Scheduled, Scheduled: due})
}

// cronLog hears gocron; it tells of every lock that another holds as of an error, which is none.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Debug(msg string, args ...any) { l.log.Debug(msg, args...) }
func (l cronLog) Info(msg string, args ...any)  { l.log.Debug(msg, args...) }
func (l cronLog) Warn(msg string, args ...any)  { l.log.Warn(msg, args...) }
func (l cronLog) Error(msg string, args ...any) { l.log.Debug(msg, args...) }
