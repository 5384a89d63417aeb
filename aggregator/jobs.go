package aggregator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Cause is why a job runs.
type Cause string

// The causes of runs.
const (
	// Scheduled runs are due by their schedule; missed ones are made up for.
	Scheduled Cause = "schedule"
	// AtStart runs once when an aggregator starts.
	AtStart Cause = "start"
	// OnEvent runs because something was seen, like late samples.
	OnEvent Cause = "event"
	// Manual runs are asked for by an operator.
	Manual Cause = "manual"
)

// Window is a span of time, half-open [From, To); zero ends are open.
type Window struct{ From, To time.Time }

// Job is work that the runner does.
type Job struct {
	// Name is unique: lower-case words with dashes, at most 50 bytes.
	Name string
	// Schedule is five cron fields in UTC; empty: the job runs on events and by hand alone.
	Schedule string
	// Lock: jobs with the same word never run at once, in any process. Empty: the name.
	Lock string
	// AtStart runs the job also when the runner starts.
	AtStart bool
	// Limit bounds one run; 0: an hour.
	Limit time.Duration
	// Do does the work once. What it reports through the run is kept, also when it returns an error.
	Do func(context.Context, *Run) error
}

// jobName is also what may stand in a metric's label.
var jobName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,49}$`)

func (j *Job) validate() error {
	if !jobName.MatchString(j.Name) {
		return fmt.Errorf("job %q: want lower-case words with dashes", j.Name)
	}
	if j.Do == nil {
		return fmt.Errorf("job %s does nothing", j.Name)
	}
	if j.Schedule == "" {
		return nil
	}
	if _, err := cron.ParseStandard(j.Schedule); err != nil {
		return fmt.Errorf("job %s: read schedule: %w", j.Name, err)
	}
	return nil
}

// Run is one run of a job, and what it reports. Its methods may be called from any goroutine.
type Run struct {
	Job   string
	Cause Cause
	// Scheduled is the time that the run stands for; Asked the window that an operator gave, often open.
	Scheduled time.Time
	Asked     Window

	mu       sync.Mutex // covers what follows
	window   Window
	checked  int64
	healed   int64
	removed  int64
	detail   map[string]any
	progress func(done, total int64)
}

// Looked says which time the run looked at.
func (r *Run) Looked(w Window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.From.IsZero() && (r.window.From.IsZero() || w.From.Before(r.window.From)) {
		r.window.From = w.From
	}
	if w.To.After(r.window.To) {
		r.window.To = w.To
	}
}

// Add counts hours checked, hours healed and rows removed.
func (r *Run) Add(checked, healed, removed int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checked, r.healed, r.removed = r.checked+checked, r.healed+healed, r.removed+removed
}

// Note keeps a figure of the job's own under a name; it must be JSON.
func (r *Run) Note(name string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.detail == nil {
		r.detail = map[string]any{}
	}
	r.detail[name] = value
}

// Progress says that done of total units are finished; total 0 means unknown.
func (r *Run) Progress(done, total int64) {
	if r.progress != nil {
		r.progress(done, total)
	}
}

// Figures are what a run has reported so far.
type Figures struct {
	Window                   Window
	Checked, Healed, Removed int64
	Detail                   map[string]any
}

// Figures reads what was reported.
func (r *Run) Figures() Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Figures{r.window, r.checked, r.healed, r.removed, maps.Clone(r.detail)}
}

// lastDue is the newest occurrence of a schedule at or before now; false where there is none within a month.
func lastDue(schedule string, now time.Time) (time.Time, bool) {
	s, err := cron.ParseStandard(schedule)
	if err != nil {
		return time.Time{}, false
	}
	now = now.UTC()
	for back := time.Hour; back <= 31*24*time.Hour; back *= 2 {
		due := s.Next(now.Add(-back))
		if due.IsZero() || due.After(now) {
			continue
		}
		for {
			next := s.Next(due)
			if next.IsZero() || next.After(now) {
				return due, true
			}
			due = next
		}
	}
	return time.Time{}, false
}

var (
	// ErrBusy says that the job, or one that shares its lock, runs elsewhere.
	ErrBusy = errors.New("the job runs already")
	// ErrDone says that another aggregator has done the occurrence.
	ErrDone = errors.New("the occurrence has been done")
	// ErrUnknownJob says that no job has the name.
	ErrUnknownJob = errors.New("no such job")
)
