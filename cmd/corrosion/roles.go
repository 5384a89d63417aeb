package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"corrosion/aggregator"
	"corrosion/ingest"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pg"
)

// stopLimit bounds an orderly stop; the second signal ends it at once.
const stopLimit = 60 * time.Second

// roles are the parts of the platform that run in this process, and what they share.
type roles struct {
	services
	log *slog.Logger
	// slowFrom is from how long on statements of the API are logged; 0 = none is.
	slowFrom   time.Duration
	registry   *prometheus.Registry
	pool       *pgxpool.Pool
	book       licenseBook
	clickhouse driver.Conn
	ingester   *ingest.Ingester
	aggregator *aggregator.Aggregator
	// closers stop what was opened, in reverse order.
	closers []closer
}

type closer struct {
	what  string
	close func(context.Context) error
}

func newRoles(s services, log *slog.Logger) *roles {
	r := &roles{services: s, log: log, registry: prometheus.NewRegistry()}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func (r *roles) onClose(what string, f func(context.Context) error) {
	r.closers = append(r.closers, closer{what, f})
}

// close stops everything in reverse order; hurry ends the waiting.
func (r *roles) close(hurry <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	go func() { // ends with close
		select {
		case <-hurry:
			r.log.Warn("second signal: not waiting any longer")
			if r.ingester != nil {
				r.ingester.Abort()
			}
			cancel()
		case <-ctx.Done():
		}
	}()
	var faults []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		if err := r.closers[i].close(ctx); err != nil {
			faults = append(faults, fmt.Errorf("stop %s: %w", r.closers[i].what, err))
		}
	}
	return errors.Join(faults...)
}

// untilStopped opens a role and waits for the first signal. One that comes while the role is being opened is no fault.
func (e *env) untilStopped(open func() error) error {
	if err := open(); err != nil {
		if e.ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	<-e.ctx.Done()
	return nil
}

func (r *roles) openPostgres(ctx context.Context) error {
	pool, err := newPool(ctx, r.PostgresURL, r.slow())
	if err != nil {
		return err
	}
	r.onClose("postgres pool", func(context.Context) error { pool.Close(); return nil })
	if err := pool.Ping(ctx); err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	r.pool, r.book = pool, licenseBook{pg.New(pool)}
	return nil
}

// slow logs statements that take long; roles that have no setting for it log none.
func (r *roles) slow() slowLog { return slowLog{r.slowFrom, r.log} }

func (r *roles) openClickHouse(ctx context.Context) error {
	if err := r.dialClickHouse(); err != nil {
		return err
	}
	if err := r.clickhouse.Ping(ctx); err != nil {
		return fmt.Errorf("connect to clickhouse: %w", err)
	}
	return nil
}

// dialClickHouse does not wait for an answer: connections open when they are needed.
func (r *roles) dialClickHouse() error {
	conn, err := stores.ClickHouse(r.ClickHouseURL)
	if err != nil {
		return err
	}
	r.onClose("clickhouse pool", func(context.Context) error { return conn.Close() })
	r.clickhouse = conn
	return nil
}

// openStreamsLimit is how long a start waits for a NATS that is not there yet.
const openStreamsLimit = 5 * time.Second

// startIngest runs the ingester until close. Once it returns, JetStream keeps what is published.
func (r *roles) startIngest(ctx context.Context, f ingestFlags) error {
	config := ingest.DefaultConfig()
	config.NATSURL, config.ClickHouseURL = r.NATSURL, r.ClickHouseURL
	config.Streams.MaxBytes, config.Streams.Replicas = f.StreamMaxBytes, f.StreamReplicas
	config.Pull.AckWait, config.Partitions.Takeover = f.AckWait, f.Takeover
	config.Quotas = f.quotas()
	ingester, err := ingest.New(config, ingest.Deps{Licenses: r.book, Registerer: r.registry, Logger: r.log})
	if err != nil {
		return err
	}
	r.ingester = ingester
	opening, cancel := context.WithTimeout(ctx, openStreamsLimit)
	defer cancel()
	if err := ingester.OpenStreams(opening); err != nil {
		r.log.Warn("what is published before NATS answers is lost; trying on", "error", err)
	}
	done := make(chan error, 1)
	go func() { done <- ingester.Run(context.Background()) }() // Close ends it
	r.onClose("ingest", func(context.Context) error { return errors.Join(ingester.Close(), <-done) })
	return nil
}

// ingestFlags are the settings of the ingester.
type ingestFlags struct {
	quotaFlags
	streamFlags
	AckWait  time.Duration `env:"CORROSION_ACK_WAIT" default:"30s" help:"How long JetStream waits for an ingester that holds messages before it delivers them again; at least 1s."`
	Takeover time.Duration `env:"CORROSION_TAKEOVER" default:"5s" help:"How long an ingester may be silent before another takes its partitions over; the same for all ingesters, at least 1s."`
}

// streamFlags bound the streams.
type streamFlags struct {
	StreamMaxBytes int64 `env:"CORROSION_STREAM_MAX_BYTES" default:"10737418240" help:"Bytes that wait in JetStream at most; full = publishes are refused."`
	replicaFlags
}

// replicaFlags are the same for every process that makes streams.
type replicaFlags struct {
	StreamReplicas int `env:"CORROSION_STREAM_REPLICAS" default:"1" help:"Copies of each stream in a NATS cluster: 1, 3 or 5."`
}
