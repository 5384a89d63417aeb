package installation_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/api/installation"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/command"
)

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
