package aggregator

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestLastDue(t *testing.T) {
	f := func(schedule, now, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := lastDue(schedule, at)
		if want == "" {
			if ok {
				t.Errorf("%q at %s: %s, want none", schedule, now, got)
			}
			return
		}
		if !ok || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q at %s: %s %v, want %s", schedule, now, got.UTC().Format(time.RFC3339), ok, want)
		}
	}
	f("5 * * * *", "2026-11-23T10:05:00Z", "2026-11-23T10:05:00Z")
	f("5 * * * *", "2026-11-23T10:04:59Z", "2026-11-23T09:05:00Z")
	f("0 3 * * *", "2026-11-23T02:59:59Z", "2026-11-22T03:00:00Z")
	f("0 3 * * *", "2026-11-23T03:00:01+02:00", "2026-11-22T03:00:00Z")
	f("0 0 1 1 *", "2026-11-23T10:00:00Z", "")
	f("every day", "2026-11-23T10:00:00Z", "")
}

func TestJobsAreValidated(t *testing.T) {
	r := newRunner(nil, "postgres://nowhere", "test", slog.New(slog.DiscardHandler))
	do := func(context.Context, *Run) error { return nil }
	f := func(j Job, good bool) {
		t.Helper()
		if err := r.Register(j); (err == nil) != good {
			t.Errorf("%+v: %v", j.Name, err)
		}
	}
	f(Job{Name: "fine", Schedule: "5 * * * *", Do: do}, true)
	f(Job{Name: "fine", Do: do}, false)
	f(Job{Name: "Two Words", Do: do}, false)
	f(Job{Name: "nothing"}, false)
	f(Job{Name: "odd", Schedule: "at noon", Do: do}, false)
	if _, err := r.RunNow(t.Context(), "unknown", Manual, Window{}, nil); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("an unknown job gives %v", err)
	}
}

// runnerOn makes a runner of one job on a database.
func runnerOn(t *testing.T, url, instance string, j Job) *Runner {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r := newRunner(pool, url, instance, slog.New(slog.DiscardHandler))
	if err := r.Register(j); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Of several aggregators one does an occurrence, although each begins with looking for what was missed.
func TestMissedOccurrenceIsDoneOnce(t *testing.T) {
	url := schematest.PostgresURL(t)
	var did atomic.Int64
	done := make(chan struct{}, 10)
	do := func(_ context.Context, run *Run) error {
		did.Add(1)
		run.Add(7, 3, 1)
		run.Note("freed", 42)
		done <- struct{}{}
		return nil
	}
	for _, name := range []string{"one", "two", "three"} {
		r := runnerOn(t, url, name, Job{Name: "daily", Schedule: "0 3 * * *", Do: do})
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	r := runnerOn(t, url, "reader", Job{Name: "daily", Schedule: "0 3 * * *", Do: do})
	var runs []pg.JobRun
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() (err error) {
		runs, err = r.history.List(t.Context(), "daily", 10)
		if err == nil && (len(runs) != 1 || runs[0].FinishedAt == nil) {
			err = errors.New("not written down yet")
		}
		return err
	})
	due, _ := lastDue("0 3 * * *", time.Now())
	if got := runs[0]; !got.ScheduledAt.Equal(due) || got.HoursChecked != 7 || got.HoursHealed != 3 || got.RowsRemoved != 1 || string(got.Detail) != `{"freed": 42}` || got.Cause != "schedule" {
		t.Errorf("%+v", got)
	}
	if err := r.makeUp(Job{Name: "daily", Schedule: "0 3 * * *", Do: do}); err != nil || did.Load() != 1 {
		t.Errorf("made up for again: %v, done %d times", err, did.Load())
	}
}

// A run that failed is tried again, and so is one whose runner died; jobs of one lock never run at once.
func TestRunsAreTakenOver(t *testing.T) {
	url := schematest.PostgresURL(t)
	fails := true
	job := Job{Name: "daily", Schedule: "0 3 * * *", Lock: "shared", Do: func(context.Context, *Run) error {
		if fails {
			return errors.New("no luck")
		}
		return nil
	}}
	r := runnerOn(t, url, "one", job)
	if err := r.makeUp(job); err == nil {
		t.Fatal("want the job's error")
	}
	fails = false
	if err := r.makeUp(job); err != nil {
		t.Fatal(err)
	}
	runs, err := r.history.List(t.Context(), "", 10)
	if err != nil || len(runs) != 1 || runs[0].Error != "no luck" || runs[0].Attempts != 1 {
		t.Fatalf("%+v %v: want the failed run alone, it waits a minute", runs, err)
	}
	r.now = func() time.Time { return time.Now().Add(2 * retryAfter) }
	if err := r.makeUp(job); err != nil {
		t.Fatal(err)
	}
	runs, err = r.history.List(t.Context(), "daily", 10)
	if err != nil || runs[0].Error != "" || runs[0].Attempts != 2 || runs[0].FinishedAt == nil {
		t.Fatalf("%+v %v: want the second attempt", runs, err)
	}
	// One that claimed and died.
	if _, err := r.history.claim(t.Context(), &Run{Job: "daily", Cause: Scheduled, Scheduled: time.Unix(3600, 0)}, "dead"); err != nil {
		t.Fatal(err)
	}
	if err := r.once(t.Context(), job, &Run{Job: "daily", Cause: Scheduled, Scheduled: time.Unix(3600, 0)}); err != nil {
		t.Errorf("an orphaned run is not taken over: %v", err)
	}
	if err := r.once(t.Context(), job, &Run{Job: "daily", Cause: Scheduled, Scheduled: time.Unix(3600, 0)}); !errors.Is(err, ErrDone) {
		t.Errorf("a run that ended well: %v, want ErrDone", err)
	}
	held, err := r.locker.take(t.Context(), "daily")
	if err != nil {
		t.Fatal(err)
	}
	other := runnerOn(t, url, "two", Job{Name: "hourly", Lock: "shared", Do: job.Do})
	if _, err := other.RunNow(t.Context(), "hourly", Manual, Window{}, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("two jobs of one lock at once: %v", err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := other.RunNow(t.Context(), "hourly", Manual, Window{}, nil); err != nil {
		t.Errorf("after the lock was given back: %v", err)
	}
}

// A lock ends with its connection, and the run that it guards with it.
func TestLostLockEndsTheRun(t *testing.T) {
	url := schematest.PostgresURL(t)
	var r *Runner
	r = runnerOn(t, url, "one", Job{Name: "long", Do: func(ctx context.Context, _ *Run) error {
		pool := r.db.(*pgxpool.Pool)
		if _, err := pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	if _, err := r.RunNow(t.Context(), "long", Manual, Window{}, nil); !errors.Is(err, errLockLost) {
		t.Errorf("got %v, want %v", err, errLockLost)
	}
}
