package aggregator

import (
	"context"
	"errors"
	"strings"
	"time"
)

// watch runs verify ahead of its schedule: after ClickHouse was started anew, and when days before today took samples.
func (a *Aggregator) watch() {
	tick := time.NewTicker(a.config.WatchEvery)
	defer tick.Stop()
	var last time.Time // of a run for days that keep changing
	var told string    // why it wants to run
	for {
		select {
		case <-a.ctx.Done():
			return
		case <-tick.C:
		}
		why, err := a.look(a.ctx, a.now().Sub(last) >= a.config.BackfillEvery)
		a.status.looked(err)
		if err != nil || why == "" {
			continue
		}
		if why != told { // the pass that holds the lock meanwhile may take long
			told = why
			a.Runner.log.Info("verifying ahead of the schedule", "because", why)
		}
		_, err = a.RunNow(a.ctx, verifyJob, OnEvent, Window{}, nil)
		if !errors.Is(err, ErrBusy) {
			last, told = a.now(), ""
		}
		a.report(verifyJob, err)
	}
}

// look says why verify should run now; empty: it need not. Days that still change count when long is set.
func (a *Aggregator) look(ctx context.Context, long bool) (why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sites, err := a.sites(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range sites {
		if why, err = a.lookAt(ctx, s, long); why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

func (a *Aggregator) lookAt(ctx context.Context, s site, long bool) (why string, err error) {
	server, err := askServerRun(ctx, s.conn)
	if err != nil {
		return "", err
	}
	days, marks, err := a.days(ctx, s)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(marks[markServer], server.mark.String()) {
		return "ClickHouse was started anew", nil
	}
	now := a.now().UTC()
	today := now.Truncate(24 * time.Hour)
	for i := range days {
		d := &days[i]
		if !d.day.Before(today) || !d.changed() {
			continue
		}
		// The day that has just ended is the schedule's.
		if now.Sub(today) < 10*time.Minute && d.day.Equal(today.AddDate(0, 0, -1)) {
			continue
		}
		if long || now.Sub(d.modified) >= a.config.QuietFor {
			return "samples came for " + d.day.Format(time.DateOnly), nil
		}
	}
	return "", nil
}
