package exportjob

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"corrosion/api/encode"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
)

func TestJobWritesItsFiles(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 72)
	m := b.manager(nil)
	job := b.until(m, b.create(m, b.spec(nil)).ID, Done)
	if job.Rows != 72 || job.Estimate == nil || *job.Estimate != 72 || job.Manifest.Rows != 72 || len(job.Manifest.Files) != 3 || job.Tries != 1 {
		t.Fatalf("%+v %+v", job, job.Manifest)
	}
	if !strings.HasPrefix(job.Manifest.NextCursor, "cursor-") || job.Expires == nil || job.Finished == nil || job.Started == nil {
		t.Errorf("%+v", job)
	}
	var bytes int64
	for n, file := range job.Manifest.Files {
		body := b.read(m, job, n)
		bytes += file.Bytes
		if file.Rows != 24 || strings.Count(body, "\r\n") != 25 || !strings.HasPrefix(body, `"ts","server_id"`) {
			t.Errorf("file %d: %d rows: %.80s", n, file.Rows, body)
		}
		if want := day().AddDate(0, 0, n); !file.From.Equal(want) || !file.To.Equal(want.AddDate(0, 0, 1)) || !strings.Contains(file.Name, want.Format("20060102T")) {
			t.Errorf("file %d: %s %s to %s", n, file.Name, file.From, file.To)
		}
	}
	if bytes != job.Manifest.Bytes || bytes != job.Bytes {
		t.Errorf("%d bytes in files, %d in the manifest, %d in the job", bytes, job.Manifest.Bytes, job.Bytes)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "*", "*", "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestJobFormats(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 30)
	m := b.manager(func(c *Config, _ *Deps) { c.PerLicense = 2 })
	plain := func(r io.Reader) (io.Reader, error) { return r, nil }
	f := func(name, end string, files int, rows uint64, unpack func(io.Reader) (io.Reader, error), change func(*Spec)) {
		t.Helper()
		job := b.until(m, b.create(m, b.spec(change)).ID, Done)
		if job.Manifest.Rows != rows || len(job.Manifest.Files) != files {
			t.Errorf("%s: %d rows in %d files, want %d in %d", name, job.Manifest.Rows, len(job.Manifest.Files), rows, files)
		}
		for n, file := range job.Manifest.Files {
			if !strings.HasSuffix(file.Name, end) {
				t.Errorf("%s: named %s", name, file.Name)
			}
			reader, err := unpack(strings.NewReader(b.read(m, job, n)))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(reader); err != nil || len(body) == 0 {
				t.Errorf("%s: %v, %d bytes", name, err, len(body))
			}
		}
	}
	f("ndjson, gzip", ".ndjson.gz", 2, 30, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		func(s *Spec) { s.Request.Format, s.Request.Encoding = encode.NDJSON, encode.Gzip })
	f("csv, zstd, one file", ".csv.zst", 1, 30, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
		func(s *Spec) { s.ByDay, s.Request.Encoding = false, encode.Zstd })
	f("parquet", ".parquet", 2, 30, plain, func(s *Spec) { s.Request.Format = encode.Parquet })
	f("hours", ".csv", 1, 30, plain, func(s *Spec) { s.ByDay, s.Request.Granularity = false, schema.Hourly })
	f("nothing", ".csv", 1, 0, plain, func(s *Spec) { s.Request.Servers = []string{"nobody"} })
	f("since", ".csv", 2, 30, plain, func(s *Spec) {
		s.Request.From, s.Request.To, s.Request.StoredSince = time.Time{}, time.Time{}, time.Unix(1, 0)
	})
	f("since, one file", ".csv", 1, 30, plain, func(s *Spec) {
		s.ByDay, s.Request.From, s.Request.To, s.Request.StoredSince = false, time.Time{}, time.Time{}, time.Unix(1, 0)
	})
}

// A worker that is killed in the middle leaves its job to another, and what it still writes is nobody's.
func TestJobOfAKilledWorker(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 72)
	b.gate.shut(1)
	pool := b.connect()
	killed := b.manager(func(c *Config, d *Deps) { c.Lease, d.Pool = time.Second, pool })
	id := b.create(killed, b.spec(nil)).ID
	witness := b.manager(func(c *Config, _ *Deps) { c.Lease, c.MaxLicenseBytes = time.Second, 1<<30; c.Workers = 1 })
	b.until(witness, id, Running)
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		if files, _ := filepath.Glob(filepath.Join(b.dir, id.String(), "1", "*.csv")); len(files) != 1 {
			return fmt.Errorf("%d files are written, want 1 of 3", len(files))
		}
		return nil
	})
	pool.Close() // to the others it is gone: it can renew, finish and give back nothing
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		job, err := witness.Find(t.Context(), b.license, id)
		if err != nil || job.attempt < 2 {
			return fmt.Errorf("try %d: %w", job.attempt, err)
		}
		return nil
	})
	b.gate.open()
	job := b.until(witness, id, Done)
	if job.Rows != 72 || job.Tries != 2 || job.faults != 1 || len(job.Manifest.Files) != 3 {
		t.Errorf("%+v %+v", job, job.Manifest)
	}
	for n := range job.Manifest.Files {
		b.read(witness, job, n)
	}
	b.onlyKept(job)
}

// onlyKept waits until no files lie about but the job's.
func (b *bench) onlyKept(jobs ...Job) {
	b.t.Helper()
	want := map[string]bool{}
	for _, job := range jobs {
		want[filepath.Join(b.dir, job.ID.String(), fmt.Sprint(job.attempt))] = true
	}
	localtest.CheckFor(b.t, 10*time.Second, 10*time.Millisecond, func() error {
		dirs, err := filepath.Glob(filepath.Join(b.dir, "*-*", "*"))
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if !want[dir] {
				return fmt.Errorf("%s is left", dir)
			}
		}
		if len(dirs) != len(want) {
			return fmt.Errorf("%d directories, want %d", len(dirs), len(want))
		}
		return nil
	})
}

// A stop gives jobs back at once, and not as a fault.
func TestJobGoesOnAfterAStop(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 10)
	b.gate.shut(0)
	first := b.manager(func(c *Config, _ *Deps) { c.Lease = time.Hour })
	id := b.create(first, b.spec(nil)).ID
	b.until(first, id, Running)
	first.Close()
	job, err := first.Find(t.Context(), b.license, id)
	if err != nil || job.Status != Queued || job.faults != 0 {
		t.Fatalf("%+v, %v", job, err)
	}
	b.onlyKept()
	b.gate.open()
	second := b.manager(nil)
	if job := b.until(second, id, Done); job.Rows != 10 || job.Tries < 2 || job.faults != 0 { // another worker may have begun it before it saw the stop
		t.Errorf("%+v", job)
	}
}

func TestJobIsTriedAgainAndFails(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 10)
	m := b.manager(nil)
	b.gate.refuse(2)
	if job := b.until(m, b.create(m, b.spec(nil)).ID, Done); job.Tries != 3 || job.Error != "" {
		t.Errorf("%+v", job)
	}
	b.gate.refuse(3)
	job := b.until(m, b.create(m, b.spec(nil)).ID, Failed)
	if job.Tries != 3 || job.Error != "the store is busy" || job.Manifest != nil {
		t.Errorf("%+v", job)
	}
	if _, _, err := m.OpenFile(t.Context(), b.license, job.ID, 0); !errors.Is(err, ErrNotDone) {
		t.Errorf("its file: %v", err)
	}
}

func TestJobThatNoWorkerSurvives(t *testing.T) {
	b := newBench(t)
	m := b.manager(nil)
	m.Close()
	id := b.create(m, b.spec(nil)).ID
	if _, err := b.pool.Exec(t.Context(), "UPDATE export_jobs SET status = 'running', faults = 2, lease_until = now() - interval '1 second' WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	if job := b.until(b.manager(nil), id, Failed); job.Error != "its worker went away 3 times" {
		t.Errorf("%+v", job)
	}
}

func TestDeleteCancelsAndRemoves(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 10)
	m := b.manager(nil)
	done := b.until(m, b.create(m, b.spec(nil)).ID, Done)
	b.gate.shut(0)
	running := b.create(m, b.spec(nil))
	b.until(m, running.ID, Running)
	waiting := b.create(m, b.spec(nil)) // the license has no room for two at once
	other := b.newLicense()
	for _, id := range []uuid.UUID{done.ID, running.ID, waiting.ID, uuid.New()} {
		if err := m.Delete(t.Context(), other, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("another license deletes %s: %v", id, err)
		}
		if _, err := m.Find(t.Context(), other, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("another license finds %s: %v", id, err)
		}
		if _, _, err := m.OpenFile(t.Context(), other, id, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("another license opens a file of %s: %v", id, err)
		}
	}
	for _, id := range []uuid.UUID{waiting.ID, running.ID, done.ID} {
		if err := m.Delete(t.Context(), b.license, id); err != nil {
			t.Fatal(err)
		}
	}
	b.until(m, running.ID, Cancelled)
	b.until(m, waiting.ID, Cancelled)
	if _, err := m.Find(t.Context(), b.license, done.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a job that was removed: %v", err)
	}
	b.onlyKept()
	if jobs, err := m.List(t.Context(), b.license); err != nil || len(jobs) != 2 {
		t.Errorf("%d jobs are listed, %v", len(jobs), err)
	}
	if jobs, err := m.List(t.Context(), other); err != nil || len(jobs) != 0 {
		t.Errorf("another license lists %d jobs, %v", len(jobs), err)
	}
	b.gate.open()
	if job := b.until(m, b.create(m, b.spec(nil)).ID, Done); job.Rows != 10 {
		t.Errorf("after it all: %+v", job)
	}
}

func TestBounds(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 72)
	b.gate.shut(0)
	m := b.manager(func(c *Config, _ *Deps) { c.MaxOpen = 2 })
	ids := []uuid.UUID{b.create(m, b.spec(nil)).ID, b.create(m, b.spec(nil)).ID}
	if _, err := m.Create(t.Context(), b.license, b.spec(nil)); !errors.Is(err, ErrTooMany) {
		t.Errorf("a third: %v", err)
	}
	b.until(m, ids[0], Running)
	if job, err := m.Find(t.Context(), b.license, ids[1]); err != nil || job.Status != Queued {
		t.Errorf("the second beside the first: %s, %v", job.Status, err)
	}
	b.gate.open()
	size := b.until(m, ids[0], Done).Bytes
	b.until(m, ids[1], Done)
	m.Close()

	small := b.manager(func(c *Config, _ *Deps) { c.MaxLicenseBytes = 3*size - 1 })
	job := b.until(small, b.create(small, b.spec(nil)).ID, Failed)
	if !strings.Contains(job.Error, "room") {
		t.Errorf("%+v", job)
	}
	full := b.manager(func(c *Config, _ *Deps) { c.MaxLicenseBytes = 2 * size })
	if _, err := full.Create(t.Context(), b.license, b.spec(nil)); !errors.Is(err, ErrFull) {
		t.Errorf("with no room left: %v", err)
	}
	if err := full.Delete(t.Context(), b.license, ids[0]); err != nil {
		t.Fatal(err)
	}
	if job := b.until(full, b.create(full, b.spec(nil)).ID, Done); job.Rows != 72 {
		t.Errorf("%+v", job)
	}
}

func TestFilesExpire(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 3)
	m := b.manager(func(c *Config, _ *Deps) { c.Keep, c.Remember = 300*time.Millisecond, time.Hour })
	id := b.create(m, b.spec(nil)).ID
	b.until(m, id, Expired)
	b.onlyKept()
	if _, _, err := m.OpenFile(t.Context(), b.license, id, 0); !errors.Is(err, ErrNotDone) {
		t.Errorf("its file: %v", err)
	}
	m.Close()
	forgetful := b.manager(func(c *Config, _ *Deps) { c.Remember = time.Nanosecond })
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		if _, err := forgetful.Find(t.Context(), b.license, id); !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("it is still known: %w", err)
		}
		return nil
	})
}

// Processes that share the directory serve each other's files; one with its own says where they are not.
func TestPlaces(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 3)
	here := b.manager(nil)
	job := b.until(here, b.create(here, b.spec(nil)).ID, Done)
	here.Close()
	b.read(b.manager(nil), job, 0)
	elsewhere := b.manager(func(c *Config, _ *Deps) { c.Dir = t.TempDir() })
	if _, _, err := elsewhere.OpenFile(t.Context(), b.license, job.ID, 0); !errors.Is(err, ErrElsewhere) {
		t.Errorf("from elsewhere: %v", err)
	}
	for _, n := range []int{-1, len(job.Manifest.Files)} {
		if _, _, err := here.OpenFile(t.Context(), b.license, job.ID, n); !errors.Is(err, ErrNotFound) {
			t.Errorf("file %d: %v", n, err)
		}
	}
}

// Many workers of many processes do every job once.
func TestManyWorkersManyJobs(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 30)
	var managers []*Manager
	for range 3 {
		managers = append(managers, b.manager(func(c *Config, _ *Deps) { c.PerLicense, c.MaxOpen = 4, 20 }))
	}
	var ids []uuid.UUID
	for i := range 12 {
		ids = append(ids, b.create(managers[i%3], b.spec(nil)).ID)
	}
	var jobs []Job
	for i, id := range ids {
		job := b.until(managers[(i+1)%3], id, Done)
		if job.Tries != 1 || job.Rows != 30 {
			t.Errorf("%+v", job)
		}
		jobs = append(jobs, job)
	}
	b.onlyKept(jobs...)
}

func TestConfigRefused(t *testing.T) {
	if err := DefaultConfig("x").Validate(); err != nil {
		t.Error(err)
	}
	f := func(name string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig("x")
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("Dir", func(c *Config) { c.Dir = "" })
	f("Workers", func(c *Config) { c.Workers = 0 })
	f("MaxBytes", func(c *Config) { c.MaxBytes = 1 })
	f("Lease", func(c *Config) { c.Lease = 0 })
	f("Keep", func(c *Config) { c.Keep = 0 })
}

// What is erased with its license takes its files along.
func TestErasedLicense(t *testing.T) {
	b := newBench(t)
	b.samples(b.license, 3)
	m := b.manager(nil)
	b.until(m, b.create(m, b.spec(nil)).ID, Done)
	if _, err := b.pool.Exec(t.Context(), "DELETE FROM licenses WHERE id = $1", b.license); err != nil {
		t.Fatal(err)
	}
	b.onlyKept()
	if _, err := os.Stat(filepath.Join(b.dir, placeFile)); err != nil {
		t.Error(err)
	}
	if n, err := pg.New(b.pool).CountOpenExportJobs(t.Context(), b.license); err != nil || n != 0 {
		t.Errorf("%d jobs, %v", n, err)
	}
}
