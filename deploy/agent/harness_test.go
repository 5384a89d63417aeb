package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/command"
)

var license = uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001")

var platformKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))

// quick are bounds for tests.
func quick(dir string) Config {
	c := DefaultConfig()
	c.License, c.ServerID, c.Dir = license, "eu-1", dir
	c.NATSURL, c.User, c.Keys = "nats://127.0.0.1:1", "nobody", []ed25519.PublicKey{platformKey.Public().(ed25519.PublicKey)}
	c.Logger = slog.New(slog.DiscardHandler)
	c.Download = DownloadConfig{MaxBytes: 1 << 20, Total: 10 * time.Second, Window: 200 * time.Millisecond, MinBytes: 100, Tries: 2, Wait: time.Millisecond}
	return c
}

// offline is an agent whose work is called by the test itself.
func offline(t *testing.T, dir string) *Agent {
	t.Helper()
	a, err := New(quick(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.stop(t) })
	return a
}

// stop is what the end of a process does.
func (a *Agent) stop(t *testing.T) {
	t.Helper()
	if a.conn.IsClosed() {
		return
	}
	a.conn.Close()
	a.client.CloseIdleConnections()
	if err := a.disk.close(); err != nil {
		t.Error(err)
	}
}

// file is what a module has.
type file struct {
	name, text string
}

func (f file) digest() string {
	sum := sha256.Sum256([]byte(f.text))
	return hex.EncodeToString(sum[:])
}

func (f file) install(module, version, url string) command.Command {
	return command.Command{
		Schema: command.Schema, ID: uuid.New(), Action: command.Install, Module: module, Version: version, URL: url,
		SHA256: f.digest(), File: f.name, Size: int64(len(f.text)), License: license, Server: "eu-1", Attempt: 1,
		Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	}
}

func removal(of command.Command, restore bool) command.Command {
	of.Action, of.Restore, of.Attempt, of.URL = command.Uninstall, restore, of.Attempt+1, ""
	return of
}

// run accepts a command and does it.
func (a *Agent) run(t *testing.T, c command.Command) job {
	t.Helper()
	if fresh, err := a.journal.accept(c, time.Now()); err != nil || !fresh {
		t.Fatalf("accept: fresh %v, %v", fresh, err)
	}
	a.do(context.Background(), c)
	after, _ := a.journal.job(c.ID)
	return after
}

func (a *Agent) mustRun(t *testing.T, c command.Command, want command.State) {
	t.Helper()
	if after := a.run(t, c); after.State != want {
		t.Fatalf("%s %s: %s (%s %s)", c.Action, c.Version, after.State, after.Code, after.Error)
	}
}

// serve answers with what handler does.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/file"
}

func serving(t *testing.T, f file) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.text))
	})
}

// plugins are the files that a game server would see.
func plugins(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		if entry.Name() == stateDir {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = string(text)
	}
	return found
}

func wantPlugins(t *testing.T, dir string, want ...file) {
	t.Helper()
	found := plugins(t, dir)
	if len(found) != len(want) {
		t.Errorf("%d files in the plugin directory, want %d: %.300v", len(found), len(want), found)
	}
	for _, f := range want {
		if found[f.name] != f.text {
			t.Errorf("%s: %.80q, want %.80q", f.name, found[f.name], f.text)
		}
	}
}
