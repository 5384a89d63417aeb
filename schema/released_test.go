package schema_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// releasedSums lists the migrations that somebody's stores may have, as sha256sum writes them. A release adds its own.
const releasedSums = "testdata/released.sha256"

// A migration that was released is never changed: stores that have it would differ from those that get it anew. What is
// to be different is a new migration, with a number above all released ones, for lower ones are not applied any more.
func TestReleasedMigrationsStay(t *testing.T) {
	raw, err := os.ReadFile(releasedSums)
	if err != nil {
		t.Fatal(err)
	}
	newest := map[string]string{} // by store: the highest released file
	released := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		want, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		if !found {
			t.Fatalf("%s: %q is no line of sha256sum", releasedSums, line)
		}
		body, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("a released migration is gone: %v", err)
			continue
		}
		if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s was released and is changed: put it back, and say what is to be different in a new migration", name)
		}
		released[name] = true
		newest[filepath.Dir(name)] = max(newest[filepath.Dir(name)], filepath.Base(name))
	}
	stores := slices.Sorted(maps.Keys(newest))
	if !slices.Equal(stores, []string{"clickhouse", "postgres"}) {
		t.Fatalf("%s names migrations of %v", releasedSums, stores)
	}
	for _, store := range stores {
		files, err := filepath.Glob(store + "/[0-9]*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !released[name] && filepath.Base(name) < newest[store] {
				t.Errorf("%s is new and has a lower number than %s, which is released: stores that have that one would refuse it", name, newest[store])
			}
		}
	}
}

// beforeReleases are migrations that were made before anybody had stores to lose.
var beforeReleases = []string{"postgres/0028_export_keys.sql"}

// Migrations are online: what the program of before does while they run must go on. These would make it fail, or lose rows.
func TestMigrationsOnlyAdd(t *testing.T) {
	for _, name := range append(glob(t, "clickhouse/[0-9]*.sql"), glob(t, "postgres/[0-9]*.sql")...) {
		if slices.Contains(beforeReleases, name) {
			continue
		}
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := bytes.Cut(body, []byte("-- +goose Down"))
		for _, word := range []string{"DROP TABLE", "DROP COLUMN", "RENAME TO", "RENAME COLUMN", "TRUNCATE TABLE", "DROP DATABASE"} {
			for line := range strings.Lines(string(up)) {
				code, _, _ := strings.Cut(line, "--")
				if strings.Contains(strings.ToUpper(code), word) {
					t.Error(fmt.Errorf("%s has %s: %s", name, word, strings.TrimSpace(line)))
				}
			}
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	return names
}
