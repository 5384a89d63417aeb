package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/ingest/publish"
	"corrosion/ingest/simulate"
	"corrosion/schema"
	"corrosion/schema/connect"
)

const newestSample = `SELECT max(ts) FROM corrosion.samples WHERE license_id = {license:UUID}`

// runDemo keeps the demo network publishing until ctx ends: history first where it is missing, then live.
func runDemo(ctx context.Context, e *env, r *roles) error {
	conn, err := connect.NATS(r.NATSURL, nats.Name("corrosion-demo"), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("demo: connect to nats: %w", err)
	}
	defer conn.Close()
	if err := awaitDrained(ctx, conn); err != nil {
		return err
	}
	last, err := newestOf(ctx, r.clickhouse, simulate.DemoLicense.String())
	if err != nil {
		return err
	}
	publisher, err := publish.New(conn, publish.DefaultConfig(simulate.DemoLicense))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer publisher.Close()
	path := filepath.Join(r.Data, "demo.json")
	state, err := readDemoState(path)
	if err != nil {
		return err
	}
	bar := newProgress(e.stderr, "demo network: filling its history", "samples")
	finished := false
	_, err = simulate.Demo(ctx, simulate.DemoOptions{
		Publisher: publisher, Last: last, State: state, Logger: r.log,
		Save: func(s simulate.DemoState) error { return writeDemoState(path, s) },
		Progress: func(done, total uint64) {
			bar.update(int64(done), int64(total))
			if done >= total && !finished {
				finished = true
				bar.finish()
			}
		},
	})
	return err
}

// awaitDrained waits until the ingester has stored what was published before the last stop, so that the newest stored
// sample is the newest published one and nothing is filled in twice.
func awaitDrained(ctx context.Context, conn *nats.Conn) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		stream, err := js.Stream(ctx, schema.StreamStats)
		if err == nil && stream.CachedInfo().State.Msgs == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// newestOf is the time of a license's newest stored sample; zero when there is none.
func newestOf(ctx context.Context, conn driver.Conn, license string) (time.Time, error) {
	var newest time.Time
	if err := conn.QueryRow(ctx, newestSample, driver.NamedValue{Name: "license", Value: license}).Scan(&newest); err != nil {
		return time.Time{}, fmt.Errorf("demo: find the newest sample: %w", err)
	}
	if newest.Unix() <= 0 {
		return time.Time{}, nil
	}
	return newest, nil
}

func readDemoState(path string) (state simulate.DemoState, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("demo: read its state: %w", err)
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return state, fmt.Errorf("demo: %s cannot be read (%w); remove it to fill the history anew", path, err)
	}
	return state, nil
}

func writeDemoState(path string, state simulate.DemoState) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
