package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/deploy/backup"
	"corrosion/deploy/local"
	"corrosion/schema/connect"
)

type backupCommand struct {
	services
	logging
	Target    string `arg:"" help:"An empty directory, or s3://bucket/prefix?endpoint=https://host (see docs/backup.md for its key)."`
	Check     bool   `help:"Take none: read the backup that is there and compare every file with its manifest."`
	ModuleDir string `env:"CORROSION_MODULE_DIR" help:"Plugin files of modules; unset = modules in the data directory."`
}

// Run backs up a platform that runs, or the services of one that does not.
func (c *backupCommand) Run(e *env) error {
	target, err := backup.OpenTarget(c.Target)
	if err != nil {
		return err
	}
	bars := &bars{e: e}
	defer bars.finish()
	if c.Check {
		m, err := backup.Check(e.ctx, target, bars.update)
		if err != nil {
			return err
		}
		bars.finish()
		return describe(e, "is whole", c.Target, m)
	}
	return c.services.withPlatform(e, c.logging, false, func(p backup.Platform) error {
		p.ModuleDir = moduleFlags{ModuleDir: c.ModuleDir}.dir(c.Data)
		m, err := backup.Take(e.ctx, p, target, bars.update)
		if err != nil {
			return err
		}
		bars.finish()
		return describe(e, "taken", c.Target, m)
	})
}

type restoreCommand struct {
	services
	logging
	Source         string `arg:"" help:"A backup: a directory, or s3://bucket/prefix?endpoint=https://host."`
	StreamReplicas int    `env:"CORROSION_STREAM_REPLICAS" default:"1" help:"How many servers of a NATS cluster keep each stream: 1, 3 or 5."`
	ModuleDir      string `env:"CORROSION_MODULE_DIR" help:"Where plugin files of modules go; unset = modules in the data directory."`
}

// Run restores while no platform runs; local services are started for it.
func (c *restoreCommand) Run(e *env) error {
	source, err := backup.OpenTarget(c.Source)
	if err != nil {
		return err
	}
	// A backup that is not there should not cost the start of services.
	if _, err := backup.ReadManifest(e.ctx, source); err != nil {
		return err
	}
	bars := &bars{e: e}
	defer bars.finish()
	return c.services.withPlatform(e, c.logging, true, func(p backup.Platform) error {
		p.ModuleDir, p.Replicas = moduleFlags{ModuleDir: c.ModuleDir}.dir(c.Data), c.StreamReplicas
		m, err := backup.Restore(e.ctx, p, source, bars.update)
		if err != nil {
			return err
		}
		bars.finish()
		return describe(e, "restored", c.Source, m)
	})
}

func describe(e *env, what, where string, m *backup.Manifest) error {
	var waiting uint64
	for i := range m.Streams {
		waiting += m.Streams[i].Messages
	}
	_, err := fmt.Fprintf(e.stdout, "backup %s of %s %s: ClickHouse %d rows, Postgres %d rows, streams %d messages, %d files, %d bytes\n",
		m.ID, m.At.Format(time.RFC3339), what, m.ClickHouse.Rows(), m.Postgres.Rows(), waiting, len(m.Files()), m.Bytes())
	if err != nil {
		return fmt.Errorf("say what became of %s: %w", where, err)
	}
	return nil
}

// withPlatform reaches the services: those of a platform that runs here, those given by URL, and else the local ones, which are
// started. alone refuses a platform that runs.
func (s services) withPlatform(e *env, l logging, alone bool, do func(backup.Platform) error) (err error) {
	running, err := local.ReadEndpoints(s.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil && alone && (s.NATSURL == "" || s.ClickHouseURL == "" || s.PostgresURL == "") {
		return fmt.Errorf("a platform runs on %s (%s): stop it first", s.Data, running.HTTP)
	}
	if err == nil {
		if err := s.find(); err != nil {
			return err
		}
	}
	l.LogLevel = "warn"
	r := newRoles(s, l.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if r.NATSURL == "" || r.ClickHouseURL == "" || r.PostgresURL == "" {
		if _, err := r.startServices(e); err != nil {
			return err
		}
	}
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	conn, err := connect.NATS(r.NATSURL, nats.Name("corrosion-backup"))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	r.onClose("NATS", func(context.Context) error { conn.Close(); return nil })
	return do(backup.Platform{ClickHouse: r.clickhouse, ClickHouseURL: r.ClickHouseURL, ClickHouseHTTPURL: r.ClickHouseHTTPURL, PostgresURL: r.PostgresURL, NATS: conn})
}

// bars shows one bar a step.
type bars struct {
	e    *env
	step string
	bar  *progress
}

func (b *bars) update(step string, done, total int64) {
	if step != b.step {
		b.finish()
		b.step, b.bar = step, newProgress(b.e.stderr, step, "")
	}
	b.bar.update(done, total)
}

func (b *bars) finish() {
	if b.bar != nil {
		b.bar.finish()
		b.step, b.bar = "", nil
	}
}
