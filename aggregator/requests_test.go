package aggregator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// A run that an administrator asked for is done once, about the time that was asked for, whatever else runs; one whose
// aggregator died is done by another.
func TestRunsByRequest(t *testing.T) {
	ran := make(chan Window, 10)
	r := runnerOn(t, schematest.PostgresURL(t), "one", Job{Name: "asked", Do: func(_ context.Context, run *Run) error { ran <- run.Asked; return nil }})
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	queries := pg.New(r.db)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ask := func(at time.Time) {
		localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error {
			n, err := queries.RequestJob(t.Context(), pg.RequestJobParams{Job: "asked", RequestedAt: at, WindowFrom: &from})
			if err == nil && n == 0 {
				err = errors.New("the job is not announced")
			}
			return err
		})
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	ask(at)
	if w := <-ran; !w.From.Equal(from) || !w.To.IsZero() {
		t.Errorf("asked for %v", w)
	}
	done := func(at time.Time) error {
		found, err := queries.FindJobRequest(t.Context(), pg.FindJobRequestParams{Job: "asked", RequestedAt: at})
		if err == nil && (found.FinishedAt == nil || found.Error != "") {
			err = fmt.Errorf("%+v", found)
		}
		return err
	}
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error { return done(at) })

	abandoned := at.Add(time.Microsecond)
	if _, err := queries.ClaimJobRun(t.Context(), pg.ClaimJobRunParams{Job: "asked", ScheduledAt: abandoned, Cause: "manual", Instance: "dead", Attempts: 5}); err != nil {
		t.Fatal(err)
	}
	ask(abandoned)
	<-ran
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error { return done(abandoned) })
	open, err := queries.OpenJobRequests(t.Context())
	if err != nil || len(open) != 0 || len(ran) != 0 {
		t.Errorf("%d requests are open, %d more runs, %v", len(open), len(ran), err)
	}
}
