package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// platformUser is the NATS user that may do everything.
const platformUser = "corrosion"

// Stack is the set of services that one process runs.
type Stack struct {
	config     Config
	lock       *os.File
	nats       *NATS
	clickhouse *ClickHouse
	postgres   *Postgres

	mu        sync.Mutex
	endpoints Endpoints
	closing   sync.Once
	closeErr  error
}

// Start takes the data directory, starts every service that has no URL, side
// by side, and returns once all answer. On an error nothing is left running.
// The context bounds the start only; Close ends the services.
func Start(ctx context.Context, config Config) (*Stack, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("check settings: %w", err)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(config.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	config.DataDir = dir
	// Others may pass, because PostgreSQL may run as another user, but not look.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	s := &Stack{config: config}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return nil, errors.Join(err, s.Close(stop))
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	passwords, err := loadSecrets(s.config.DataDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.config.DataDir, "log"), 0o700); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, service := range []struct {
		name, url string
		start     func(context.Context, secrets) error
	}{
		{"nats", s.config.NATSURL, s.startNATS},
		{"clickhouse", s.config.ClickHouseURL, s.startClickHouse},
		{"postgres", s.config.PostgresURL, s.startPostgres},
	} {
		if service.url == "" {
			group.Go(func() error {
				return s.step(service.name, "starting", "ready", func() error { return service.start(ctx, passwords) })
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.setEndpoints(passwords)
	return nil
}

// step reports the phases around f.
func (s *Stack) step(service, before, after string, f func() error) error {
	begun := time.Now()
	s.report(Event{Service: service, Phase: before})
	err := f()
	if err != nil {
		after = "failed"
	}
	s.report(Event{Service: service, Phase: after, Elapsed: time.Since(begun)})
	return err
}

func (s *Stack) report(e Event) {
	if s.config.Progress != nil {
		s.config.Progress(e)
	}
}

func (s *Stack) dir(name string) string { return filepath.Join(s.config.DataDir, name) }

func (s *Stack) startNATS(ctx context.Context, secrets secrets) (err error) {
	s.nats, err = StartNATS(ctx, NATSConfig{
		Dir: s.dir("nats"), LogDir: s.dir("log"), Port: s.config.NATSPort, User: platformUser, Password: secrets.NATS,
		Authenticate: s.config.Authenticate, MaxStore: s.config.NATSMaxStore,
	})
	return err
}

func (s *Stack) startClickHouse(ctx context.Context, secrets secrets) (err error) {
	readers, err := loadReaders(s.config.DataDir)
	if err != nil {
		return err
	}
	s.clickhouse, err = StartClickHouse(ctx, ClickHouseConfig{
		Dir: s.dir("clickhouse"), LogDir: s.dir("log"), NativePort: s.config.ClickHousePort, HTTPPort: s.config.ClickHouseHTTPPort,
		Password: secrets.ClickHouse, OperatorPassword: secrets.Operator, Readers: readers,
		Memory: s.config.ClickHouseMemory, Binary: s.config.ClickHouseBinary, Logger: s.config.Logger,
	})
	return err
}

func (s *Stack) startPostgres(ctx context.Context, secrets secrets) (err error) {
	s.postgres, err = StartPostgres(ctx, PostgresConfig{
		Dir: s.dir("postgres"), LogDir: s.dir("log"), Port: s.config.PostgresPort,
		Password: secrets.Postgres, SuperPassword: secrets.PostgresSuper, Logger: s.config.Logger,
	})
	return err
}

func (s *Stack) setEndpoints(secrets secrets) {
	e := Endpoints{NATS: s.config.NATSURL, Postgres: s.config.PostgresURL,
		ClickHouseNative: s.config.ClickHouseURL, ClickHouseHTTP: s.config.ClickHouseHTTPURL}
	if s.nats != nil {
		e.NATS = s.nats.URL()
	}
	if s.postgres != nil {
		e.Postgres = s.postgres.URL()
	}
	if s.clickhouse != nil {
		e.ClickHouseNative, e.ClickHouseHTTP = s.clickhouse.NativeURL(), s.clickhouse.HTTPURL()
		e.Operator = Operator{User: OperatorUser, Password: secrets.Operator}
	}
	s.endpoints = e
}

// Endpoints returns where everything is.
func (s *Stack) Endpoints() Endpoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints
}

// WriteEndpoints writes endpoints.json with the program's own URL: call it
// when everything is ready. Close removes the file.
func (s *Stack) WriteEndpoints(httpURL string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints.HTTP = httpURL
	return s.endpoints.write(s.config.DataDir)
}

// NATS is the embedded server, nil when a URL was given.
func (s *Stack) NATS() *NATS { return s.nats }

// ClickHouse is the local server, nil when a URL was given.
func (s *Stack) ClickHouse() *ClickHouse { return s.clickhouse }

// Postgres is the local server, nil when a URL was given.
func (s *Stack) Postgres() *Postgres { return s.postgres }

// Close stops NATS, ClickHouse and PostgreSQL, in this order, and frees the
// data directory. Close the services' clients first. When ctx ends, what still
// runs is killed. A second call waits for the first and returns the same.
func (s *Stack) Close(ctx context.Context) error {
	s.closing.Do(func() { s.closeErr = s.stop(ctx) })
	return s.closeErr
}

func (s *Stack) stop(ctx context.Context) error {
	var faults []error
	if err := os.Remove(endpointsFile(s.config.DataDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		faults = append(faults, fmt.Errorf("remove endpoints: %w", err))
	}
	if s.nats != nil {
		faults = append(faults, s.step("nats", "stopping", "stopped", func() error { return s.nats.Close(ctx) }))
	}
	if s.clickhouse != nil {
		faults = append(faults, s.step("clickhouse", "stopping", "stopped", func() error { return s.clickhouse.Close(ctx) }))
	}
	if s.postgres != nil {
		faults = append(faults, s.step("postgres", "stopping", "stopped", func() error { return s.postgres.Close(ctx) }))
	}
	return errors.Join(append(faults, s.lock.Close())...)
}
