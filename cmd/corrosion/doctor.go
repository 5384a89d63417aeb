package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local"
	"corrosion/schema"
)

type doctorCommand struct {
	services
	jwtKeys
	listening
	accountFlags
}

// doctorLimit bounds each check.
const doctorLimit = 10 * time.Second

// finding is what one check saw; todo says what to do about a fault.
type finding struct {
	what string
	saw  string
	todo string // empty = fine
}

// Run checks what serve would need and what a running platform has. It fails when a check found a fault.
func (c *doctorCommand) Run(e *env) error {
	running := c.find() == nil && c.ClickHouseURL != "" && c.PostgresURL != "" && c.NATSURL != ""
	checks := []func(context.Context) finding{c.checkData, c.checkKey, c.checkListening, c.checkMail}
	if running {
		checks = append(checks, c.checkClickHouse, c.checkPostgres, c.checkJobs, c.checkNATS)
	} else {
		checks = append(checks, c.checkEngines)
		fmt.Fprintf(e.stdout, "nothing runs on %s: checking what `corrosion serve` would need\n", c.Data)
	}
	faults := 0
	for _, check := range checks {
		ctx, cancel := context.WithTimeout(e.ctx, doctorLimit)
		f := check(ctx)
		cancel()
		if f.todo == "" {
			fmt.Fprintf(e.stdout, "ok     %-11s %s\n", f.what, f.saw)
			continue
		}
		faults++
		fmt.Fprintf(e.stdout, "FAULT  %-11s %s\n       %-11s do: %s\n", f.what, f.saw, "", f.todo)
	}
	if faults > 0 {
		return fmt.Errorf("%d of %d checks found a fault", faults, len(checks))
	}
	return nil
}

// checkData checks that the data directory, or the nearest one above it that is there, can be written. It makes none.
func (c *doctorCommand) checkData(context.Context) finding {
	f := finding{what: "data", saw: c.Data}
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		f.saw, f.todo = err.Error(), "choose a directory you may write with --data or CORROSION_DATA"
		return f
	}
	info, err := os.Stat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		f.saw, f.todo = err.Error(), "choose a directory you may write with --data or CORROSION_DATA"
		return f
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		f.saw, f.todo = err.Error(), "give yourself the right to write there, or choose another with --data"
		return f
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	if missing {
		f.saw += " will be made on first start"
		return f
	}
	f.saw += " can be written"
	return f
}

func (c *doctorCommand) checkKey(context.Context) finding {
	path := c.path(c.Data)
	f := finding{what: "token key", saw: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.saw += " will be made on first start"
	case err != nil:
		f.saw, f.todo = err.Error(), "make the file readable, or name another with --jwt-key-file"
	case info.Mode().Perm()&0o077 != 0:
		f.saw, f.todo = fmt.Sprintf("%s can be read by others (mode %o)", path, info.Mode().Perm()), "chmod 600 "+filepath.Clean(path)
	}
	return f
}

func (c *doctorCommand) checkEngines(ctx context.Context) finding {
	f := finding{what: "engines"}
	if err := local.CheckEngines(ctx, c.Data); err != nil {
		f.saw, f.todo = err.Error(), "run `make engines`, or give the services by URL"
		return f
	}
	f.saw = "ClickHouse and PostgreSQL are installed"
	return f
}

func (c *doctorCommand) checkClickHouse(ctx context.Context) finding {
	f := finding{what: "clickhouse", todo: "check --clickhouse-url, the user's password and that the server listens"}
	options, err := clickhouse.ParseDSN(c.ClickHouseURL)
	if err != nil {
		f.saw = "the URL cannot be read"
		return f
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		f.saw = err.Error()
		return f
	}
	defer conn.Close()
	version, err := conn.ServerVersion()
	if err != nil {
		f.saw = err.Error()
		return f
	}
	kept, err := schema.ReadRetention(ctx, conn)
	if err != nil {
		f.saw, f.todo = err.Error(), "run `corrosion migrate`"
		return f
	}
	const day = 24 * time.Hour
	return finding{what: "clickhouse", saw: fmt.Sprintf("%s; raw kept %d days, hours %d", version.Version, kept.Raw/day, kept.Hourly/day)}
}

func (c *doctorCommand) checkPostgres(ctx context.Context) finding {
	f := finding{what: "postgres", todo: "check --postgres-url, the user's password and that the server listens"}
	conn, err := pgx.Connect(ctx, c.PostgresURL)
	if err != nil {
		f.saw = err.Error()
		return f
	}
	defer conn.Close(ctx)
	var licenses int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM licenses").Scan(&licenses); err != nil {
		f.saw, f.todo = err.Error(), "run `corrosion migrate`"
		return f
	}
	return finding{what: "postgres", saw: fmt.Sprintf("%s; %d licenses", conn.PgConn().ParameterStatus("server_version"), licenses)}
}

func (c *doctorCommand) checkNATS(ctx context.Context) finding {
	f := finding{what: "nats", todo: "check --nats-url, the user's password and that the server runs with JetStream"}
	conn, err := nats.Connect(c.NATSURL, nats.Timeout(doctorLimit/2))
	if err != nil {
		f.saw = err.Error()
		return f
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		f.saw = err.Error()
		return f
	}
	stream, err := js.Stream(ctx, schema.StreamStats)
	if err != nil {
		f.saw, f.todo = "stream "+schema.StreamStats+": "+err.Error(), "start `corrosion serve` or `corrosion ingest`, which makes its streams"
		return f
	}
	state := stream.CachedInfo().State
	return finding{what: "nats", saw: fmt.Sprintf("%s; %d messages wait in %s", conn.ConnectedServerVersion(), state.Msgs, schema.StreamStats)}
}
