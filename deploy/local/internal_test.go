package local

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigurationIsWellFormedForBothKindsOfServer(t *testing.T) {
	for _, official := range []bool{false, true} {
		dir := t.TempDir()
		data := configData{Official: official, Users: filepath.Join(dir, "users.xml"), Data: "/a & <b>/", Memory: 1 << 30,
			Log: "/l", Backups: "/c/", NativePort: 1, HTTPPort: 2, PasswordSHA256: sha256Hex("hush"), OperatorSHA256: sha256Hex("hush2")}
		if err := writeClickHouseConfig(dir, data); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"config.xml", "users.xml"} {
			raw, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			requireXML(t, name, string(raw))
			if strings.Contains(string(raw), "hush") {
				t.Errorf("%s holds a password in the clear", name)
			}
			if hasDefault := strings.Contains(string(raw), "<no_password/>"); hasDefault && official {
				t.Errorf("%s of an official server has a user without a password", name)
			}
		}
	}
}

func requireXML(t *testing.T, name, raw string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(raw))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestMissingLibraryLinksAreMade(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "native", "lib")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		t.Fatal(err)
	}
	list := `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`
	if err := os.WriteFile(filepath.Join(dir, "native", "pg-symlinks.json"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time they are there
		if err := linkLibraries(dir); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.Readlink(filepath.Join(lib, "libpq.so.5")); got != "libpq.so.5.18" {
		t.Errorf("link to %q (%v)", got, err)
	}
}

func TestBackoffGrowsToItsCap(t *testing.T) {
	for failures, most := range map[int]time.Duration{1: backoffBase, 2: 2 * backoffBase, 4: 8 * backoffBase, 50: backoffCap} {
		for range 100 {
			if wait := backoff(failures); wait > most || wait < most/2 {
				t.Fatalf("backoff(%d) = %s, want %s to %s", failures, wait, most/2, most)
			}
		}
	}
}

func TestReachesSeesAClosedDirectoryAbove(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs servers as another user")
	}
	outsider := ordinaryUser{uid: nobody, gid: nobody, switched: true}
	open, err := os.MkdirTemp("", "corrosion-reach-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	inside := filepath.Join(open, "a", "b")
	if err := errors.Join(os.MkdirAll(inside, 0o755), os.Chmod(open, 0o755)); err != nil {
		t.Fatal(err)
	}
	if !outsider.reaches(inside) {
		t.Error("an open path is called closed")
	}
	if err := os.Chmod(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if outsider.reaches(inside) {
		t.Error("a closed path is called open")
	}
	outsider.passage = []uintptr{1}
	if !outsider.reaches(inside) {
		t.Error("the capability does not open the path")
	}
}

func TestSecretsAreMadeOnceAndComplete(t *testing.T) {
	dir := t.TempDir()
	first, err := loadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadSecrets(dir)
	if err != nil || first != again || first.NATS == "" || first.NATS == first.ClickHouse {
		t.Errorf("secrets %+v then %+v (%v)", first, again, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets.json"), []byte(`{"nats":"kept"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	filled, err := loadSecrets(dir)
	if err != nil || filled.NATS != "kept" || filled.Postgres == "" {
		t.Errorf("an older file becomes %+v (%v)", filled, err)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
}
