package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/archive"
	"corrosion/api/encode"
	"corrosion/api/erasure"
	administration "corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/schema/connect"
	"corrosion/schema/sqlaccess"
)

// startErasures erases licenses in the background until close; nil where no NATS is known, for what is left there could
// not be removed.
func (r *roles) startErasures() (*erasure.Worker, error) {
	if r.NATSURL == "" {
		r.log.Warn("no NATS: licenses are not erased by this process; give --nats-url")
		return nil, nil
	}
	conn, err := connect.NATS(r.NATSURL, nats.Name("corrosion-erasures"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	r.onClose("erasures' connection", func(context.Context) error { conn.Close(); return nil })
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	worker, err := erasure.New(erasure.DefaultConfig(), erasure.Deps{
		Store: store.New(r.pool), ClickHouse: r.clickhouse, JetStream: js, CloseSQL: r.closeSQL, Logger: r.log,
	})
	if err != nil {
		return nil, err
	}
	worker.Open()
	r.onClose("erasures", func(context.Context) error { worker.Close(); return nil })
	return worker, nil
}

// closeSQL takes a license's login to ClickHouse away, where it has one.
func (r *roles) closeSQL(ctx context.Context, license uuid.UUID) error {
	manager := sqlaccess.New(sqlaccess.Deps{Postgres: r.pool, ClickHouse: r.clickhouse, ClickHouseURL: r.ClickHouseURL, Pool: readerPoolOf(r.Data)})
	err := manager.Revoke(ctx, license)
	if errors.Is(err, sqlaccess.ErrNone) || errors.Is(err, sqlaccess.ErrNotAllowed) {
		return nil
	}
	return err
}

type licenseSuspendCommand struct {
	services
	License string `required:"" help:"Whose connections and requests are turned away."`
	Reason  string `help:"For the audit log."`
}

// Run suspends.
func (c *licenseSuspendCommand) Run(e *env) error {
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		if err := administration.Suspend(e.ctx, store.New(pool), license, c.Reason); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stderr, "license %s is suspended\n", license)
		return err
	})
}

type licenseResumeCommand struct {
	services
	License string `required:"" help:"Who may come back."`
}

// Run ends the suspension.
func (c *licenseResumeCommand) Run(e *env) error {
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		if err := administration.Resume(e.ctx, store.New(pool), license); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stderr, "license %s is in good standing\n", license)
		return err
	})
}

type licenseArchiveCommand struct {
	services
	License string `required:"" help:"What is taken out whole."`
	Output  string `short:"o" help:"The ZIP file; unset = named for the license and the moment, in this directory."`
}

// Run writes the archive beside its name, and gives it its name once it is whole.
func (c *licenseArchiveCommand) Run(e *env) error {
	if err := c.find(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	config := encode.DefaultConfig()
	config.URL = c.ClickHouseHTTPURL
	exporter, err := encode.New(config)
	if err != nil {
		return err
	}
	defer exporter.Close()
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		if err := licenseExists(e.ctx, c.PostgresURL, license); err != nil {
			return err
		}
		if c.Output == "" {
			c.Output = archive.Name(license, time.Now())
		}
		return writeWhole(c.Output, func(file *os.File) error { return archive.New(pool, exporter).Write(e.ctx, license, file) })
	})
}

// writeWhole leaves a file of that name only where it was written to its end.
func writeWhole(path string, write func(*os.File) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if err := write(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return os.Rename(file.Name(), path)
}
