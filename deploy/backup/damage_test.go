package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"corrosion/deploy/backup"
	"corrosion/schema"
)

// s3 is a server that speaks S3, and the address of a prefix on it.
func s3(t *testing.T, prefix string) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("safe"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	keys := t.TempDir()
	for name, value := range map[string]string{"ACCESS": "id\n", "SECRET": "secret\n"} {
		file := filepath.Join(keys, name)
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("CORROSION_S3_"+name+"_KEY_FILE", file)
	}
	return "s3://safe/" + prefix + "?region=us-east-1&endpoint=" + server.URL
}

// A backup in S3 is what one in a directory is, and every kind of damage is told with the file's name before anything is
// touched.
func TestBackupInS3AndDamage(t *testing.T) {
	s := newSite(t)
	if _, err := schema.Migrate(t.Context(), s.platform.ClickHouseURL, s.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	license := uuid.New()
	fill(s, license)
	s.start()
	s.publish(license, 5)
	s.drained()
	s.stop()
	far, err := backup.OpenTarget(s3(t, "nightly/1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Take(t.Context(), s.platform, far, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Take(t.Context(), s.platform, far, quiet); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a second backup into the same prefix: %v", err)
	}
	m, err := backup.Check(t.Context(), far, quiet)
	if err != nil {
		t.Fatal(err)
	}
	near := fetched(t, far, m)
	if _, err := backup.Check(t.Context(), mustOpen(t, near), quiet); err != nil {
		t.Errorf("the copy in a directory: %v", err)
	}
	for _, f := range m.Files() {
		if info, err := os.Stat(filepath.Join(near, f.Path)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Path, info.Mode(), err)
		}
	}
	damages(t, near, m, s)
}

func mustOpen(t *testing.T, where string) backup.Target {
	t.Helper()
	target, err := backup.OpenTarget(where)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// fetched copies a backup into a directory.
func fetched(t *testing.T, from backup.Target, m *backup.Manifest) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	to := mustOpen(t, dir)
	paths := []string{"manifest.json", "SHA256SUMS"}
	for _, f := range m.Files() {
		paths = append(paths, f.Path)
	}
	for _, path := range paths {
		file, err := from.Read(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(to.Write(t.Context(), path, file), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// damages does each kind of harm to a backup and puts it right again.
func damages(t *testing.T, dir string, m *backup.Manifest, full *site) {
	t.Helper()
	victim := m.ClickHouse.Tables[0].Files[0].Path
	for _, table := range m.ClickHouse.Tables {
		if table.Name == "samples" {
			victim = table.Files[0].Path
		}
	}
	for name, d := range map[string]struct {
		path string
		harm func(body []byte) []byte
		want string
	}{
		"flipped bit":     {victim, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, victim},
		"cut short":       {victim, func(b []byte) []byte { return b[:len(b)-1] }, victim},
		"missing":         {"postgres/licenses.copy.zst", func([]byte) []byte { return nil }, "postgres/licenses.copy.zst"},
		"changed claims":  {"manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"rows": `), []byte(`"rows": 1`), 1) }, "manifest.json"},
		"broken manifest": {"manifest.json", func(b []byte) []byte { return b[:len(b)/2] }, "manifest.json"},
		"no manifest":     {"manifest.json", func([]byte) []byte { return nil }, "not finished"},
		"newer format":    {"manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 99`), 1) }, "format 99"},
	} {
		file := filepath.Join(dir, d.path)
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if now := d.harm(bytes.Clone(was)); now == nil {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, now, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, checked := backup.Check(t.Context(), mustOpen(t, dir), quiet)
		_, restored := backup.Restore(t.Context(), full.platform, mustOpen(t, dir), quiet)
		for _, err := range []error{checked, restored} {
			if err == nil || !strings.Contains(err.Error(), d.want) || errors.Is(err, backup.ErrNotEmpty) {
				t.Errorf("%s: %v, want one that names %s", name, err, d.want)
			}
		}
		if err := os.WriteFile(file, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Places that cannot be read are told without what may be secret in them.
func TestTargetsThatCannotBe(t *testing.T) {
	t.Setenv("CORROSION_S3_ACCESS_KEY_FILE", "/nowhere/key")
	for where, want := range map[string]string{
		"ftp://host/dir":                     "want a directory or s3://",
		"s3://":                              "cannot be read",
		"s3://user:hush@bucket/x":            "key in the environment",
		"s3://bucket/x?endpont=https://h":    `unknown parameter "endpont"`,
		"s3://bucket/x?endpoint=host:9000":   "endpoint",
		"s3://bucket/x?endpoint=https://h.i": "/nowhere/key",
	} {
		_, err := backup.OpenTarget(where)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", where, err, want)
		}
	}
	// What cannot be written whole is not there.
	target := mustOpen(t, t.TempDir())
	broken := io.MultiReader(strings.NewReader("half"), failing{})
	if err := target.Write(context.Background(), "a/b", broken); err == nil {
		t.Error("half a file was written")
	}
	if _, err := target.Read(context.Background(), "a/b"); !errors.Is(err, backup.ErrNoFile) {
		t.Errorf("half a file is there: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }
