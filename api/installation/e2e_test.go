package installation_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/installation"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/command"
)

func TestInstallUpdateRollbackUninstall(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.publish("loot", "1.0.0", "version one")
	w.start("s000", nil)
	one := w.ask("s000", "loot")
	if one.Status != installation.Pending {
		t.Errorf("asked: %s", one.Status)
	}
	w.wait(one.ID, installation.Installed)
	w.onDisk("s000", map[string]string{"Loot.cs": "version one"})
	if path := w.statuses(one.ID); !strings.HasPrefix(path, "pending dispatched") || !strings.HasSuffix(path, "installed") {
		t.Errorf("it came through %s", path)
	}
	_, err := w.m.Install(t.Context(), installation.Ask{License: w.license, Server: "s000", Module: "loot"})
	if !errors.Is(err, installation.ErrInstalled) {
		t.Errorf("again: %v", err)
	}
	w.publish("loot", "2.0.0", "version two")
	two := w.ask("s000", "loot")
	w.wait(two.ID, installation.Installed)
	w.wait(one.ID, installation.Uninstalled)
	w.onDisk("s000", map[string]string{"Loot.cs": "version two"})

	w.files.misbehave(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) }) // the agent keeps it
	back, err := w.m.Rollback(t.Context(), w.license, two.ID, installation.By{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w.wait(back.ID, installation.Installed)
	w.onDisk("s000", map[string]string{"Loot.cs": "version one"})
	if _, err := w.m.Remove(t.Context(), w.license, back.ID, installation.By{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	w.wait(back.ID, installation.Uninstalled)
	w.onDisk("s000", nil)
}

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

// Two processes send the commands of forty installations: each agent gets each once.
func TestTwoPlatforms(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.platform(nil)
	var modules []string
	for n := range 10 {
		module := fmt.Sprintf("module-%d", n)
		w.publish(module, "1.0.0", module)
		modules = append(modules, module)
	}
	var made []installation.Installation
	for _, server := range w.servers {
		w.start(server, nil)
		for _, module := range modules {
			made = append(made, w.ask(server, module))
		}
	}
	for _, one := range made {
		if found := w.wait(one.ID, installation.Installed); found.Attempt != 1 {
			t.Errorf("%s on %s took %d commands", one.Module, one.Server, found.Attempt)
		}
	}
	js := w.jetStream()
	stream, err := js.Stream(t.Context(), command.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if state := stream.CachedInfo().State; state.LastSeq != uint64(len(made)) || state.Msgs != 0 {
		t.Errorf("the stream had %d commands and has %d, want %d and 0", state.LastSeq, state.Msgs, len(made))
	}
}

func (w *world) jetStream() jetstream.JetStream {
	w.t.Helper()
	conn, err := nats.Connect(w.nats.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return js
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

func TestCancel(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.publish("loot", "1.0.0", strings.Repeat("loot", 1000))
	// The agent never had it: it is cancelled at once, and it never will.
	away := w.ask("s000", "loot")
	w.wait(away.ID, installation.Dispatched)
	if got, err := w.m.Remove(t.Context(), w.license, away.ID, installation.By{}); err != nil || got.Status != installation.Cancelled {
		t.Errorf("%s %v", got.Status, err)
	}
	// In the middle of the download.
	w.start("s001", nil)
	w.files.hold()
	during := w.ask("s001", "loot")
	w.wait(during.ID, installation.Downloading)
	if got, err := w.m.Remove(t.Context(), w.license, during.ID, installation.By{}); err != nil || got.Status != installation.Uninstalling {
		t.Errorf("%s %v", got.Status, err)
	}
	w.wait(during.ID, installation.Cancelled)
	w.files.release()
	w.onDisk("s001", nil)
	if left, err := os.ReadDir(filepath.Join(w.plugins("s001"), ".corrosion", "part")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOwnersDependenciesAndTenants(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.publish("base", "1.2.0", "base")
	w.publish("top", "1.0.0", "top", installation.Need{Module: "base", MinVersion: "1.1.0"})
	by := installation.By{Actor: "test"}
	if _, err := w.m.Install(t.Context(), installation.Ask{License: w.other, Server: "s000", Module: "top", By: by}); !errors.Is(err, installation.ErrNotOwned) {
		t.Errorf("who does not own it: %v", err)
	}
	w.catalogue.mu.Lock()
	w.owned[w.other.String()+"top"] = true
	w.catalogue.mu.Unlock()
	var needs *installation.NeedsError
	if _, err := w.m.Install(t.Context(), installation.Ask{License: w.other, Server: "s000", Module: "top", By: by}); !errors.As(err, &needs) || !slices.Equal(needs.Modules, []string{"base"}) {
		t.Errorf("who does not own what it needs: %v", err)
	}
	w.start("s000", nil)
	top := w.ask("s000", "top")
	w.wait(top.ID, installation.Installed)
	w.onDisk("s000", map[string]string{"Top.cs": "top", "Base.cs": "base"})
	page, _, err := w.m.List(t.Context(), installation.Filter{License: w.license, Limit: 10})
	if err != nil || len(page) != 2 {
		t.Fatalf("%d installations, %v", len(page), err)
	}
	base := page[slices.IndexFunc(page, func(i installation.Installation) bool { return i.Module == "base" })]
	if base.InstalledAt == nil || w.wait(top.ID, installation.Installed).InstalledAt.Before(*base.InstalledAt) {
		t.Error("what is needed came later")
	}
	if _, err := w.m.Remove(t.Context(), w.license, base.ID, by); !errors.Is(err, installation.ErrNeeded) {
		t.Errorf("what is needed was removed: %v", err)
	}
	// Another license sees and touches nothing.
	if _, err := w.m.Find(t.Context(), w.other, top.ID); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("another license finds it: %v", err)
	}
	if _, err := w.m.Remove(t.Context(), w.other, top.ID, by); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("another license removes it: %v", err)
	}
	if theirs, _, err := w.m.List(t.Context(), installation.Filter{License: w.other, Limit: 10}); err != nil || len(theirs) != 0 {
		t.Errorf("another license lists %d, %v", len(theirs), err)
	}
}

// The words of an agent, doubled, late and of another's, do no harm; an agent reaches only its own subjects.
func TestWordsOfAgents(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.publish("loot", "1.0.0", "loot")
	mine, theirs := w.ask("s000", "loot"), w.ask("s001", "loot")
	w.wait(mine.ID, installation.Dispatched)
	w.wait(theirs.ID, installation.Dispatched)
	conn, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", w.nats.Port()), nats.UserInfo("agent-"+w.license.String()+"-s000", password),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(server string, id uuid.UUID, attempt int, status command.State, progress int) {
		t.Helper()
		text := fmt.Sprintf(`{"schema":1,"id":%q,"attempt":%d,"status":%q,"progress":%d,"error":null,"at":"2026-11-25T12:00:00Z"}`, id, attempt, status, progress)
		if err := conn.Publish(command.StatusSubject(w.license, server), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	say("s000", theirs.ID, 1, command.Installed, 100) // another server's installation
	say("s001", theirs.ID, 1, command.Installed, 100) // on another server's subject: NATS drops it
	say("s000", mine.ID, 2, command.Installed, 100)   // of an attempt that was never made
	say("s000", mine.ID, 1, command.Installing, 100)
	say("s000", mine.ID, 1, command.Downloading, 40)
	say("s000", mine.ID, 1, command.Installed, 100)
	say("s000", mine.ID, 1, command.Installed, 100)
	say("s000", mine.ID, 1, command.Downloading, 10)
	say("s000", mine.ID, 1, command.Failed, 0)
	if err := conn.Publish(command.StatusSubject(w.license, "s000"), []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{command.Subject(w.license, "s000"), command.StoredSubject(w.license, "s000"), "$JS.API.STREAM.LIST"} {
		if err := conn.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if sub, err := conn.SubscribeSync(command.Subject(w.license, "s001")); err != nil || conn.Flush() != nil || sub == nil {
		t.Fatal(err)
	}
	w.wait(mine.ID, installation.Installed)
	if path := w.statuses(mine.ID); path != "pending dispatched installing installed" {
		t.Errorf("it came through %s", path)
	}
	if now := w.wait(theirs.ID, installation.Dispatched); now.Progress != 0 {
		t.Errorf("the other's: %+v", now)
	}
	stream, err := w.jetStream().Stream(t.Context(), command.Stream)
	if err != nil || stream.CachedInfo().State.LastSeq != 2 {
		t.Errorf("the stream has %d commands, %v", stream.CachedInfo().State.LastSeq, err)
	}
}

func TestDriftAndLostWords(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.publish("loot", "1.0.0", "loot")
	w.start("s000", nil)
	made := w.ask("s000", "loot")
	w.wait(made.ID, installation.Installed)
	want := func(drifts bool) {
		t.Helper()
		localtest.CheckFor(t, patience, 50*time.Millisecond, func() error {
			found, err := w.m.Find(t.Context(), w.license, made.ID)
			if err != nil || (found.Drift != "") != drifts {
				return fmt.Errorf("drift %q: %w", found.Drift, errors.Join(err, errNotYet))
			}
			return nil
		})
	}
	path := filepath.Join(w.plugins("s000"), "Loot.cs")
	if err := os.WriteFile(path, []byte("changed by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(true)
	if err := os.WriteFile(path, []byte("loot"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(false)
	// The word was lost and the platform gave up on it: the inventory tells.
	_, err := w.pool.Exec(t.Context(), `UPDATE module_installations SET status = 'failed', code = 'silent', error = 'x', installed_at = NULL WHERE id = $1`, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(made.ID, installation.Installed)
}
