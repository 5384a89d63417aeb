package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Formats of backups. Format is the newest one that this program reads; a backup of one server is written in the first.
const (
	Format      = formatShards
	formatFirst = 1
	// formatShards may have several files of a partition, one of each shard.
	formatShards = 2
)

// Names of the files that describe the others.
const (
	manifestName = "manifest.json"
	sumsName     = "SHA256SUMS"
)

// maxManifest bounds what is read of a manifest, bytes: some hundred thousand files.
const maxManifest = 64 << 20

// Manifest says what a backup holds.
type Manifest struct {
	Format int       `json:"format"`
	ID     uuid.UUID `json:"id"`
	// BegunAt is when the backup began: what was confirmed before is in it. At is the instant of ClickHouse, by its clock.
	BegunAt    time.Time `json:"begun_at"`
	At         time.Time `json:"at"`
	FinishedAt time.Time `json:"finished_at"`
	ClickHouse Store     `json:"clickhouse"`
	Postgres   Store     `json:"postgres"`
	Streams    []Stream  `json:"streams"`
	// RawDays and HourlyDays are the retention.
	RawDays    int `json:"raw_days"`
	HourlyDays int `json:"hourly_days"`
	// Modules are the plugin files of the catalogue.
	Modules []File `json:"modules,omitempty"`
}

// Store is one database.
type Store struct {
	Version string `json:"version"`
	// Schema is its newest migration.
	Schema int64 `json:"schema"`
	// Shards is how many a cluster of ClickHouse had; 0: it was one server.
	Shards    int        `json:"shards,omitempty"`
	Tables    []Table    `json:"tables"`
	Sequences []Sequence `json:"sequences,omitempty"`
}

// Table is one table's rows.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Files   []File   `json:"files"`
}

// partitions are the files of a table by partition, in the order in which they stand: one of each shard that had rows of it.
func (t *Table) partitions() (all [][]File) {
	place := map[string]int{}
	for _, f := range t.Files {
		i, known := place[f.Partition]
		if !known {
			i, place[f.Partition] = len(all), len(all)
			all = append(all, nil)
		}
		all[i] = append(all[i], f)
	}
	return all
}

// Sequence is a counter of Postgres.
type Sequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`
	Called bool   `json:"called"`
}

// Stream is a JetStream stream as its server described it.
type Stream struct {
	Name     string          `json:"name"`
	Created  time.Time       `json:"created"`
	Config   json.RawMessage `json:"config"`
	State    json.RawMessage `json:"state"`
	Messages uint64          `json:"messages"`
	File     File            `json:"file"`
}

// File is one file of a backup.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Partition, Rows and Sum are of tables: ClickHouse's id of the partition (a day, mostly), and the sum of the rows' hashes.
	Partition string `json:"partition,omitempty"`
	Rows      uint64 `json:"rows,omitempty"`
	Sum       string `json:"sum,omitempty"`
}

// Files lists every file of the backup but those that describe them, sorted by path.
func (m *Manifest) Files() []File {
	files := slices.Clone(m.Modules)
	for _, store := range []Store{m.ClickHouse, m.Postgres} {
		for _, t := range store.Tables {
			files = append(files, t.Files...)
		}
	}
	for i := range m.Streams {
		files = append(files, m.Streams[i].File)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (total int64) {
	for _, f := range m.Files() {
		total += f.Bytes
	}
	return total
}

// Rows counts the rows of all tables of a store.
func (s *Store) Rows() (total uint64) {
	for _, t := range s.Tables {
		for _, f := range t.Files {
			total += f.Rows
		}
	}
	return total
}

// ErrDamaged says that a backup is not what its manifest says; the error around it names the file.
var ErrDamaged = errors.New("the backup is damaged")

// write stores the sums and, last, the manifest: a backup without one is not complete.
func (m *Manifest) write(ctx context.Context, target Target) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	sum := sha256.Sum256(body)
	var sums bytes.Buffer
	for _, f := range m.Files() {
		fmt.Fprintf(&sums, "%s  %s\n", f.SHA256, f.Path)
	}
	fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), manifestName)
	if err := target.Write(ctx, sumsName, &sums); err != nil {
		return err
	}
	return target.Write(ctx, manifestName, bytes.NewReader(body))
}

// ReadManifest reads and checks what a backup says it holds; the files themselves Check reads.
func ReadManifest(ctx context.Context, source Target) (*Manifest, error) {
	body, err := readAll(ctx, source, manifestName)
	if errors.Is(err, ErrNoFile) {
		return nil, fmt.Errorf("%s has no %s: it is no backup, or one that was not finished", source, manifestName)
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	var version struct{ Format int }
	if err := json.Unmarshal(body, &version); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	if version.Format > Format {
		return nil, fmt.Errorf("%s is of format %d, and this program reads up to %d: use the version that made the backup, or a newer one", manifestName, version.Format, Format)
	}
	sums, err := readAll(ctx, source, sumsName)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if !bytes.Contains(sums, []byte(hex.EncodeToString(sum[:])+"  "+manifestName+"\n")) {
		return nil, fmt.Errorf("%w: %s is not what %s says", ErrDamaged, manifestName, sumsName)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read: %w", ErrDamaged, manifestName, err)
	}
	if m.Format < 1 {
		return nil, fmt.Errorf("%w: %s has no format", ErrDamaged, manifestName)
	}
	return &m, nil
}

func readAll(ctx context.Context, source Target, path string) ([]byte, error) {
	file, err := source.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return body, nil
}
