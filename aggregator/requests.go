package aggregator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corrosion/schema/pg"
)

// requestsEvery is how often it is looked for runs that administrators asked for.
const requestsEvery = 2 * time.Second

// announce tells those who may ask for runs which jobs there are.
func (r *Runner) announce(ctx context.Context) error {
	queries := pg.New(r.db)
	for _, j := range r.all() {
		if err := queries.PutJob(ctx, pg.PutJobParams{Name: j.Name, Schedule: j.Schedule}); err != nil {
			return fmt.Errorf("announce job %s: %w", j.Name, err)
		}
	}
	return nil
}

// answerRequests announces the jobs and runs what is asked for, until the runner's context ends.
func (r *Runner) answerRequests() {
	tick := time.NewTicker(requestsEvery)
	defer tick.Stop()
	announced := false
	for {
		if !announced {
			announced = r.announce(r.ctx) == nil
		}
		if announced {
			r.answerOnce(r.ctx)
		}
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answerOnce runs what was asked for and is not finished, one after the other. A request is an occurrence of its job: it
// is run by one aggregator, and by another where that one dies. One whose job runs elsewhere waits for the next time.
func (r *Runner) answerOnce(ctx context.Context) {
	asked, err := pg.New(r.db).OpenJobRequests(ctx)
	if err != nil {
		r.report("requests", fmt.Errorf("look for runs that were asked for: %w", err))
		return
	}
	for _, request := range asked {
		j, err := r.job(request.Job)
		if errors.Is(err, ErrUnknownJob) {
			continue // a newer aggregator's
		}
		run := &Run{Job: j.Name, Cause: Manual, Scheduled: request.RequestedAt.UTC(), Asked: windowOf(request)}
		r.report(j.Name, r.once(ctx, j, run))
		if ctx.Err() != nil {
			return
		}
	}
}

func windowOf(request pg.OpenJobRequestsRow) (w Window) {
	if request.WindowFrom != nil {
		w.From = request.WindowFrom.UTC()
	}
	if request.WindowTo != nil {
		w.To = request.WindowTo.UTC()
	}
	return w
}
