package installation_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/installation"
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
