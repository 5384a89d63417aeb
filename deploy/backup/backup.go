package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/schema"
)

// Platform is what is backed up, or restored into: its services, which the caller opened and closes.
type Platform struct {
	ClickHouse        driver.Conn
	ClickHouseURL     string
	ClickHouseHTTPURL string
	PostgresURL       string
	NATS              *nats.Conn
	// ModuleDir has the plugin files of the catalogue; a directory that is missing has none.
	ModuleDir string
	// Listen is how long a restore listens for ingesters at work; 0: three seconds, for they speak every second.
	Listen time.Duration
	// Replicas is how many NATS servers keep each restored stream; 0: one.
	Replicas int
}

// Progress says how far a step is; total 0 means unknown.
type Progress func(step string, done, total int64)

// session is a platform whose stores are open, for one backup or one restore.
type session struct {
	Platform
	progress  Progress
	registry  *registry
	warehouse *warehouse
	streams   *streams
}

// open gives ErrRunning while another session is open.
func (p Platform) open(ctx context.Context, progress Progress) (*session, error) {
	streams, err := openStreams(p.NATS)
	if err != nil {
		return nil, err
	}
	warehouse, err := openWarehouse(p.ClickHouse, p.ClickHouseHTTPURL)
	if err != nil {
		return nil, err
	}
	registry, err := openRegistry(ctx, p.PostgresURL)
	if err != nil {
		return nil, err
	}
	return &session{Platform: p, progress: progress, registry: registry, warehouse: warehouse, streams: streams}, nil
}

func (s *session) close(ctx context.Context) {
	s.warehouse.close()
	s.registry.close(ctx)
}

// Take backs the platform up into an empty target. The platform may be in use: INSERTs are held off for the moment in which
// the tables are cloned, some tenths of a second, and nothing else is. On an error the target is left as it is, without
// a manifest.
func Take(ctx context.Context, p Platform, target Target, progress Progress) (*Manifest, error) {
	empty, err := target.Empty(ctx)
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", target, err)
	}
	if !empty {
		return nil, fmt.Errorf("%s is not empty: a backup needs a directory or prefix of its own; remove what an unfinished backup left there", target)
	}
	open, err := p.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer open.close(ctx)
	if err := open.warehouse.openShards(ctx, p.ClickHouseURL); err != nil {
		return nil, err
	}
	t := &taking{session: open, target: target}
	return t.run(ctx)
}

const day = 24 * time.Hour

// taking is one backup under way.
type taking struct {
	*session
	target   Target
	manifest Manifest
}

// bytes counts the bytes of a step.
func (t *taking) bytes(step string) func(n int) {
	var done int64
	return func(n int) { done += int64(n); t.progress(step, done, 0) }
}

// run keeps to the order that doc.go explains.
func (t *taking) run(ctx context.Context) (*Manifest, error) {
	m := &t.manifest
	m.Format, m.ID, m.BegunAt = formatFirst, uuid.New(), time.Now().UTC()
	if n := len(t.warehouse.shards); n > 1 {
		m.Format, m.ClickHouse.Shards = formatShards, n
	}
	if err := t.versions(ctx); err != nil {
		return nil, err
	}
	live, err := t.streams.save(ctx, t.target, liveStreams(), t.bytes)
	if err != nil {
		return nil, err
	}
	if err := t.stores(ctx); err != nil {
		return nil, err
	}
	dead, err := t.streams.save(ctx, t.target, []string{schema.StreamDead}, t.bytes)
	if err != nil {
		return nil, err
	}
	m.Streams = slices.Concat(live, dead)
	if m.Modules, err = t.modules(ctx); err != nil {
		return nil, err
	}
	m.FinishedAt = time.Now().UTC()
	return m, m.write(ctx, t.target)
}

// versions refuses what a restore could not put back: a schema that this program does not know.
func (t *taking) versions(ctx context.Context) error {
	clickhouse, err := schema.ClickHouseVersion(ctx, t.ClickHouseURL)
	if err != nil {
		return err
	}
	if err := t.sameVersions(ctx, clickhouse.Applied); err != nil {
		return err
	}
	postgres, err := schema.PostgresVersion(ctx, t.PostgresURL)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		schema.Migrated
	}{{"ClickHouse", clickhouse}, {"Postgres", postgres}} {
		if one.Applied > one.Newest {
			return fmt.Errorf("the schema of %s is at %d and this program knows up to %d: use the newer one", one.name, one.Applied, one.Newest)
		}
	}
	t.manifest.ClickHouse.Schema, t.manifest.Postgres.Schema = clickhouse.Applied, postgres.Applied
	retention, err := schema.ReadRetention(ctx, t.ClickHouse)
	if err != nil {
		return err
	}
	t.manifest.RawDays, t.manifest.HourlyDays = int(retention.Raw/day), int(retention.Hourly/day)
	return t.ClickHouse.QueryRow(ctx, askVersion).Scan(&t.manifest.ClickHouse.Version)
}

// sameVersions wants every server of a cluster there, and at the same schema.
func (t *taking) sameVersions(ctx context.Context, want int64) error {
	if t.warehouse.cluster == "" {
		return nil
	}
	nodes, err := schema.Nodes(ctx, t.ClickHouseURL)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		v, err := schema.NodeVersion(ctx, t.ClickHouseURL, n)
		if err != nil {
			return fmt.Errorf("shard %d of ClickHouse, %s: %w", n.Shard, n.Addr, err)
		}
		if v.Applied != want {
			return fmt.Errorf("shard %d of ClickHouse, %s: its schema is at %d and another server's at %d: run `corrosion migrate` first", n.Shard, n.Addr, v.Applied, want)
		}
	}
	return nil
}

// stores takes both databases: the instant of ClickHouse first, then all of Postgres, then the clones.
func (t *taking) stores(ctx context.Context) (err error) {
	tables, at, err := t.warehouse.freeze(ctx)
	defer func() { err = errors.Join(err, t.warehouse.thaw(context.WithoutCancel(ctx))) }()
	if err != nil {
		return err
	}
	m := &t.manifest
	m.At = at.UTC()
	saved, err := t.registry.save(ctx, t.target, t.bytes("Postgres, bytes"))
	if err != nil {
		return err
	}
	m.Postgres.Version, m.Postgres.Tables, m.Postgres.Sequences = saved.Version, saved.Tables, saved.Sequences
	clones, total, err := t.warehouse.count(ctx, tables)
	if err != nil {
		return err
	}
	var done int64
	m.ClickHouse.Tables, err = t.warehouse.copyTables(ctx, t.target, clones, func(rows int64) {
		done += rows
		t.progress("ClickHouse, rows", done, total)
	})
	return err
}

// modules copies the plugin files.
func (t *taking) modules(ctx context.Context) ([]File, error) {
	if t.ModuleDir == "" {
		return nil, nil
	}
	var files []File
	seen := t.bytes("modules, bytes")
	err := filepath.WalkDir(t.ModuleDir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == t.ModuleDir {
			return fs.SkipAll
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(t.ModuleDir, name)
		if err != nil {
			return err
		}
		file, err := put(ctx, t.target, path.Join(modulesFolder, filepath.ToSlash(relative)), seen, func(to io.Writer) error {
			from, err := os.Open(name)
			if err != nil {
				return err
			}
			defer from.Close()
			_, err = io.Copy(to, from)
			return err
		})
		files = append(files, file)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("back up the files of modules: %w", err)
	}
	return files, nil
}

// modulesFolder has the plugin files within a backup.
const modulesFolder = "modules"

// Check reads every file of a backup and compares it with the manifest. The error names every file that is not as it was.
func Check(ctx context.Context, source Target, progress Progress) (*Manifest, error) {
	m, err := ReadManifest(ctx, source)
	if err != nil {
		return nil, err
	}
	total, done := m.Bytes(), int64(0)
	var faults []error
	for _, f := range m.Files() {
		err := verify(ctx, source, f, func(n int) { done += int64(n); progress("checking, bytes", done, total) })
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		faults = append(faults, err)
	}
	return m, errors.Join(faults...)
}
