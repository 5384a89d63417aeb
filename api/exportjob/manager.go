package exportjob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/pg"
)

// Manager keeps export jobs and does them. New makes it, Start begins to work, Close ends that. It is safe for
// concurrent use.
type Manager struct {
	cfg     Config
	deps    Deps
	queries *pg.Queries
	// place names Dir to all processes that see it.
	place uuid.UUID

	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	// wake tells an idle worker of a new job.
	wake chan struct{}

	mu      sync.Mutex // covers running
	running map[uuid.UUID]context.CancelCauseFunc
}

// New makes a Manager that does nothing yet, and its directory.
func New(cfg Config, deps Deps) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Pool == nil || deps.Exporter == nil || deps.Cursor == nil {
		return nil, errors.New("export jobs: Pool, Exporter and Cursor are required")
	}
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	place, err := markPlace(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("export jobs: %w", err)
	}
	return &Manager{
		cfg: cfg, deps: deps, queries: pg.New(deps.Pool), place: place, cancel: func(error) {}, wake: make(chan struct{}, 1),
		running: map[uuid.UUID]context.CancelCauseFunc{},
	}, nil
}

// placeFile holds the id of a directory, so that its files are known from wherever it is seen.
const placeFile = "place"

// markPlace reads the directory's id, or gives it one: a link fails where another process was first.
func markPlace(dir string) (uuid.UUID, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return uuid.Nil, fmt.Errorf("make directory: %w", err)
	}
	path := filepath.Join(dir, placeFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		temp := path + "-" + uuid.NewString()
		if err := os.WriteFile(temp, []byte(uuid.NewString()), 0o600); err != nil {
			return uuid.Nil, fmt.Errorf("mark directory: %w", err)
		}
		defer os.Remove(temp)
		if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return uuid.Nil, fmt.Errorf("mark directory: %w", err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return uuid.Nil, fmt.Errorf("read mark: %w", err)
	}
	return uuid.ParseBytes(text)
}

// Start begins to do jobs and to remove what is not kept any more.
func (m *Manager) Start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	m.cancel = cancel
	for range m.cfg.Workers {
		m.work.Go(func() { m.loop(ctx, m.cfg.Poll, m.wake, m.workOnce) })
	}
	m.work.Go(func() { m.loop(ctx, m.cfg.Sweep, nil, m.sweep) })
}

// Close stops: jobs under way go back into the queue, for others or for the next start. It waits for that.
func (m *Manager) Close() {
	m.cancel(errClosing)
	m.work.Wait()
}

// loop does once until there is nothing to do, waits for every or for wake, and after a fault a little longer each time.
func (m *Manager) loop(ctx context.Context, every time.Duration, wake <-chan struct{}, once func(context.Context) (bool, error)) {
	const longest = time.Minute
	for wait := every; ctx.Err() == nil; {
		again, err := once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.deps.Logger.Error("export jobs", "error", err)
			wait = min(2*wait, longest)
		case again:
			continue
		default:
			wait = every
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		case <-wake:
		}
	}
}

func (m *Manager) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// interrupt ends a job that this process does, because it was cancelled.
func (m *Manager) interrupt(id uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cancel := m.running[id]; cancel != nil {
		cancel(errLost)
	}
}

func (m *Manager) track(id uuid.UUID, cancel context.CancelCauseFunc) (untrack func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[id] = cancel
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.running, id)
	}
}

// sweep ends jobs whose time is over and removes files that no job of this place has.
func (m *Manager) sweep(ctx context.Context) (bool, error) {
	found, err := m.directories()
	if err != nil {
		return false, err
	}
	if _, err := m.queries.ExpireExportJobs(ctx); err != nil {
		return false, wrap("expire", err)
	}
	if _, err := m.queries.ForgetExportJobs(ctx, m.cfg.Remember.Seconds()); err != nil {
		return false, wrap("forget", err)
	}
	// Asked after looking: a directory is made only once its job is in the table.
	rows, err := m.queries.KeptExportJobs(ctx, m.place)
	if err != nil {
		return false, wrap("read kept files", err)
	}
	kept := map[string]bool{}
	for _, row := range rows {
		kept[filepath.Join(row.ID.String(), strconv.Itoa(int(row.Attempt)))] = true
	}
	var faults []error
	for _, dir := range found {
		if !kept[dir] {
			faults = append(faults, os.RemoveAll(filepath.Join(m.cfg.Dir, dir)))
			_ = os.Remove(filepath.Join(m.cfg.Dir, filepath.Dir(dir))) // fails while another try is in it
		}
	}
	return false, errors.Join(faults...)
}

// directories are the <job>/<try> below Dir.
func (m *Manager) directories() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(m.cfg.Dir, "*", "*"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, path := range paths {
		relative, err := filepath.Rel(m.cfg.Dir, path)
		if err != nil {
			return nil, err
		}
		if _, err := uuid.Parse(filepath.Dir(relative)); err == nil {
			found = append(found, relative)
		}
	}
	return found, nil
}
