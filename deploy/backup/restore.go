package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/cluster"
)

// Restore brings a backup back into empty stores. First everything is verified and every store looked at, then schemas are
// brought to where they were, rows and streams put back, and the schemas brought to the newest. Stopped or failed, it goes
// on where it was when it is called again with the same backup and stores; until it has ended without an error nothing
// else may use them. ErrNotEmpty: a store holds something else, and nothing was changed.
func Restore(ctx context.Context, p Platform, source Target, progress Progress) (*Manifest, error) {
	if _, of, err := cluster.Split(p.ClickHouseURL); err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	} else if of.Is() {
		return nil, ErrCluster
	}
	m, err := Check(ctx, source, progress)
	if err != nil {
		return nil, err
	}
	open, err := p.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer open.close(ctx)
	r := &restoring{session: open, m: m, source: source}
	for _, step := range []func(context.Context) error{r.look, r.migrate, r.loadPostgres, r.loadClickHouse, r.loadStreams, r.loadModules, r.finish} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("restore %s: %w", source, err)
		}
	}
	return m, nil
}

// ErrNotEmpty says that a store holds something that is not of this backup.
var ErrNotEmpty = errors.New("the target is not empty")

// ErrCluster says that a restore was asked to go into a cluster of ClickHouse.
var ErrCluster = errors.New("the ClickHouse URL names a cluster, and a backup is restored into one server: restore into an empty server, then bring its rows to an empty cluster with `corrosion migrate --clickhouse-url SERVER --to CLUSTER` (docs/cluster.md)")

func notEmpty(what, advice string) error { return fmt.Errorf("%w: %s: %s", ErrNotEmpty, what, advice) }

// restoring is one restore under way.
type restoring struct {
	*session
	m      *Manifest
	source Target
	// resumed says that an earlier try has begun.
	resumed bool
}

// look refuses targets that hold anything else.
func (r *restoring) look(ctx context.Context) error {
	if newest := schema.Newest(); r.m.ClickHouse.Schema > newest.ClickHouse || r.m.Postgres.Schema > newest.Postgres {
		return fmt.Errorf("the backup's schemas are at %d (ClickHouse) and %d (Postgres), and this program knows up to %d and %d: use the version that made it, or a newer one",
			r.m.ClickHouse.Schema, r.m.Postgres.Schema, newest.ClickHouse, newest.Postgres)
	}
	if err := r.quiet(ctx); err != nil {
		return err
	}
	var err error
	if r.resumed, err = r.warehouse.look(ctx, r.m); err != nil {
		return err
	}
	if err := r.registry.look(ctx, r.m); err != nil {
		return err
	}
	return r.streams.look(ctx, r.m)
}

// aliveSubject is where ingesters say that they are there, every second by default.
const (
	aliveSubject = "corrosion_ingest.alive"
	aliveWait    = 3 * time.Second
)

// quiet refuses to restore under a platform that is at work.
func (r *restoring) quiet(ctx context.Context) error {
	sub, err := r.NATS.SubscribeSync(aliveSubject)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	wait, cancel := context.WithTimeout(ctx, cmp.Or(r.Listen, aliveWait))
	defer cancel()
	if _, err := sub.NextMsgWithContext(wait); err == nil {
		return notEmpty("an ingester is at work on this NATS", "stop every role of the platform first")
	}
	return ctx.Err()
}

// migrate brings both schemas to where the backup's were: later migrations may fill tables from rows that are not there yet.
func (r *restoring) migrate(ctx context.Context) error {
	if r.resumed {
		return nil
	}
	if err := schema.MigrateTo(ctx, r.ClickHouseURL, r.PostgresURL, schema.Versions{ClickHouse: r.m.ClickHouse.Schema, Postgres: r.m.Postgres.Schema}); err != nil {
		return err
	}
	// Before there are rows that a shorter one would drop.
	if err := schema.ApplyRetention(ctx, r.ClickHouse, schema.Retention{Raw: time.Duration(r.m.RawDays) * day, Hourly: time.Duration(r.m.HourlyDays) * day}); err != nil {
		return err
	}
	return r.warehouse.begin(ctx, r.m.ID)
}

func (r *restoring) loadPostgres(ctx context.Context) error {
	var total int64
	for _, t := range r.m.Postgres.Tables {
		total += int64(t.Files[0].Rows)
	}
	return r.registry.load(ctx, r.source, r.m, func(done int64) { r.progress("Postgres, rows", done, total) })
}

func (r *restoring) loadClickHouse(ctx context.Context) error {
	total := int64(r.m.ClickHouse.Rows())
	return r.warehouse.load(ctx, r.source, r.m, func(done int64) { r.progress("ClickHouse, rows", done, total) })
}

func (r *restoring) loadStreams(ctx context.Context) error {
	for i, one := range r.m.Streams {
		if err := r.streams.load(ctx, r.source, r.m, one, r.Replicas); err != nil {
			return fmt.Errorf("stream %s: %w", one.Name, err)
		}
		r.progress("streams", int64(i+1), int64(len(r.m.Streams)))
	}
	return r.streams.forgetRepeatedLetters(ctx)
}

// loadModules puts plugin files where they were; what is there already is written again.
func (r *restoring) loadModules(ctx context.Context) error {
	if len(r.m.Modules) > 0 && r.ModuleDir == "" {
		return errors.New("the backup has files of modules: say with --module-dir where they go")
	}
	for _, f := range r.m.Modules {
		file, err := r.source.Read(ctx, f.Path)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(f.Path, modulesFolder+"/")
		if !filepath.IsLocal(filepath.FromSlash(relative)) {
			_ = file.Close()
			return fmt.Errorf("%w: %s leads out of the directory of modules", ErrDamaged, f.Path)
		}
		err = directory(r.ModuleDir).Write(ctx, relative, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// finish brings the schemas to the newest and takes the mark of the restore away.
func (r *restoring) finish(ctx context.Context) error {
	if _, err := schema.Migrate(ctx, r.ClickHouseURL, r.PostgresURL); err != nil {
		return err
	}
	return r.warehouse.end(ctx)
}

// openFile reads a file of the backup to its end with use.
func openFile(ctx context.Context, source Target, path string, use func(io.Reader) error) error {
	file, err := source.Read(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(use(file), file.Close())
}

// noSuchStream tells whether an error says so.
func noSuchStream(err error) bool { return errors.Is(err, jetstream.ErrStreamNotFound) }
