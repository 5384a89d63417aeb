package installation_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"corrosion/api/installation"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/command"
)

// An agent that is killed at any point goes on when it is back, and the file is there once.
func TestAgentKilledInEachState(t *testing.T) {
	points := []string{"accepted", "fetched", "kept", "placed", "settled", "removed"}
	w := newWorld(t, len(points)+1, nil)
	text := strings.Repeat("a plugin ", 10_000)
	w.publish("loot", "1.0.0", text)
	for i, point := range points {
		server := w.servers[i]
		t.Run(point, func(t *testing.T) {
			p := w.start(server, func(c *childAgent) { c.DieAt = point })
			made := w.ask(server, "loot")
			if point == "removed" {
				w.wait(made.ID, installation.Installed)
				if _, err := w.m.Remove(t.Context(), w.license, made.ID, installation.By{}); err != nil {
					t.Fatal(err)
				}
			}
			p.died()
			w.start(server, nil)
			if point == "removed" {
				w.wait(made.ID, installation.Uninstalled)
				w.onDisk(server, nil)
				return
			}
			found := w.wait(made.ID, installation.Installed)
			w.onDisk(server, map[string]string{"Loot.cs": text})
			if found.Attempt != 1 {
				t.Errorf("it took %d commands", found.Attempt)
			}
		})
	}
	t.Run("downloading", func(t *testing.T) {
		server := w.servers[len(points)]
		p := w.start(server, nil)
		w.files.hold()
		made := w.ask(server, "loot")
		w.wait(made.ID, installation.Downloading)
		p.kill()
		w.files.release()
		w.start(server, nil)
		w.wait(made.ID, installation.Installed)
		w.onDisk(server, map[string]string{"Loot.cs": text})
	})
}

func TestNATSRestarted(t *testing.T) {
	w := newWorld(t, 2, nil)
	text := strings.Repeat("a plugin ", 10_000)
	w.publish("loot", "1.0.0", text)
	w.start("s000", nil)
	w.files.hold()
	during := w.ask("s000", "loot")
	w.wait(during.ID, installation.Downloading)
	away := w.ask("s001", "loot") // no agent is there: the command waits in the stream
	w.wait(away.ID, installation.Dispatched)
	w.nats.Kill(t)
	w.files.release()
	w.nats.Start(t)
	w.wait(during.ID, installation.Installed)
	w.onDisk("s000", map[string]string{"Loot.cs": text})
	w.start("s001", nil)
	w.wait(away.ID, installation.Installed)
	w.onDisk("s001", map[string]string{"Loot.cs": text})
}

// What cannot be downloaded ends in failed with the reason; a retry after the cause is gone works.
func TestBadDownloads(t *testing.T) {
	w := newWorld(t, 1, nil)
	text := strings.Repeat("a plugin ", 1000)
	w.publish("loot", "1.0.0", text)
	w.start("s000", nil)
	f := func(name string, code command.Code, tries int, handler http.HandlerFunc) {
		t.Helper()
		w.files.misbehave(handler)
		made := w.ask("s000", "loot")
		failed := w.wait(made.ID, installation.Failed)
		if failed.Code != code || failed.Error == "" || failed.Tries != tries {
			t.Errorf("%s: %s %q after %d tries", name, failed.Code, failed.Error, failed.Tries)
		}
		w.onDisk("s000", nil)
		if _, err := w.m.Remove(t.Context(), w.license, made.ID, installation.By{}); err != nil {
			t.Fatal(err)
		}
		w.wait(made.ID, installation.Cancelled)
	}
	f("404", command.CodeGone, 1, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) })
	f("wrong digest", command.CodeDigest, 3, func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, strings.Repeat("x", len(text))) })
	f("10 GB", command.CodeTooBig, 1, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(10<<30))
		fmt.Fprint(rw, text)
	})
	f("cut", command.CodeNetwork, 3, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(text)))
		panic(http.ErrAbortHandler)
	})
	w.files.misbehave(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })
	made := w.ask("s000", "loot")
	w.wait(made.ID, installation.Failed)
	w.files.misbehave(nil)
	if _, err := w.m.Retry(t.Context(), w.license, made.ID, installation.By{}); err != nil {
		t.Fatal(err)
	}
	w.wait(made.ID, installation.Installed)
	w.onDisk("s000", map[string]string{"Loot.cs": text})
}

func TestClockSkew(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.publish("loot", "1.0.0", "loot")
	w.start("s000", func(c *childAgent) { c.Skew = 72 * time.Hour })
	ahead := w.ask("s000", "loot")
	failed := w.wait(ahead.ID, installation.Failed)
	if failed.Code != command.CodeExpired || !strings.Contains(failed.Error, "clock") {
		t.Errorf("a clock ahead: %s %q", failed.Code, failed.Error)
	}
	w.onDisk("s000", nil)
	w.start("s001", func(c *childAgent) { c.Skew = -72 * time.Hour })
	w.wait(w.ask("s001", "loot").ID, installation.Installed)
	localtest.CheckFor(t, patience, 50*time.Millisecond, func() error {
		agents, err := w.m.Agents(t.Context(), w.license)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(agents, func(a installation.Agent) bool { return a.Server == "s000" })
		if i < 0 || agents[i].Skew < 71*time.Hour || agents[i].Presence != installation.Online {
			return fmt.Errorf("agents: %+v", agents)
		}
		return nil
	})
}

// A command to a server that does not come back ends visibly, and is not done later.
func TestNeverComesBack(t *testing.T) {
	w := newWorld(t, 1, func(c *installation.Config) { c.Policy.Life = 1500 * time.Millisecond })
	w.publish("loot", "1.0.0", "loot")
	made := w.ask("s000", "loot")
	failed := w.wait(made.ID, installation.Failed)
	if failed.Code != installation.CodeUnreached {
		t.Errorf("%s %q", failed.Code, failed.Error)
	}
	w.start("s000", nil)
	localtest.CheckFor(t, patience, 50*time.Millisecond, func() error {
		if now, err := w.m.Presence(t.Context(), w.license, "s000"); err != nil || now != installation.Online {
			return fmt.Errorf("presence %s %w", now, err)
		}
		return nil
	})
	w.onDisk("s000", nil)
}

// A file that drips for ever, and a disk that is full, end in failed with the reason, and nothing is left in place.
func TestDrippingFileAndFullDisk(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.publish("loot", "1.0.0", strings.Repeat("a plugin ", 1000))
	w.start("s000", nil)
	w.files.misbehave(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "9000")
		for r.Context().Err() == nil {
			_, _ = rw.Write([]byte("x"))
			rw.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})
	failed := w.wait(w.ask("s000", "loot").ID, installation.Failed)
	if failed.Code != command.CodeTooSlow || failed.Error == "" || failed.Tries != 3 {
		t.Errorf("a dripping file: %s %q after %d tries", failed.Code, failed.Error, failed.Tries)
	}
	w.onDisk("s000", nil)

	w.files.misbehave(nil)
	w.publish("big", "1.0.0", strings.Repeat("a plugin ", 100_000))
	smallDisk(t, w.plugins("s001"), "256k")
	w.start("s001", nil)
	failed = w.wait(w.ask("s001", "big").ID, installation.Failed)
	if failed.Code != command.CodeDiskFull || failed.Error == "" || failed.Tries != 3 {
		t.Errorf("a full disk: %s %q after %d tries", failed.Code, failed.Error, failed.Tries)
	}
	w.onDisk("s001", nil)
	loot := w.ask("s001", "loot") // what fits can still be installed
	w.wait(loot.ID, installation.Installed)
}
