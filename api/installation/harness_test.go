package installation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/api/natsauth"
	"corrosion/deploy/agent"
	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

const patience = 40 * time.Second

// world is a platform with servers that agents may run beside.
type world struct {
	t       *testing.T
	pool    *pgxpool.Pool
	license uuid.UUID
	other   uuid.UUID
	keys    *auth.Keys
	nats    *localtest.NATSServer
	servers []string
	files   *files
	config  installation.Config
	dir     string
	*catalogue
	m *installation.Manager
}

// password is that of all agents.
const password = "secret"

func newWorld(t *testing.T, servers int, change func(*installation.Config)) *world {
	t.Helper()
	w := &world{t: t, pool: schematest.Postgres(t), license: uuid.New(), other: uuid.New(), dir: t.TempDir()}
	var err error
	if w.keys, err = auth.LoadOrCreateKeys(filepath.Join(w.dir, "agent.key")); err != nil {
		t.Fatal(err)
	}
	var options []localtest.NATSOption
	for _, license := range []uuid.UUID{w.license, w.other} {
		if _, err := pg.New(w.pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: license, Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range servers {
		server := fmt.Sprintf("s%03d", n)
		w.servers = append(w.servers, server)
		rights := natsauth.AgentRights(w.license, server)
		options = append(options, localtest.WithNATSUser("agent-"+w.license.String()+"-"+server, localtest.NATSAccess{
			Password: password, Permissions: local.Permissions{
				PublishAllow: rights.Publish, SubscribeAllow: rights.Subscribe, Responses: rights.Responses, ResponseTTL: rights.ResponseFor,
			},
		}))
	}
	w.nats = localtest.NewNATS(t, options...)
	w.files = newFiles(t)
	w.catalogue = &catalogue{pool: w.pool, files: w.files, owned: map[string]bool{}, releases: map[string]installation.Release{}, latest: map[string]string{}}
	w.config = installation.DefaultConfig()
	w.config.Poll, w.config.Sweep, w.config.RolloutPoll = 50*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	w.config.AckWait, w.config.Policy.Backoff = time.Second, 200*time.Millisecond
	if change != nil {
		change(&w.config)
	}
	w.m = w.platform(nil)
	return w
}

// platform is one platform process.
func (w *world) platform(stats installation.Stats) *installation.Manager {
	w.t.Helper()
	m, err := installation.New(w.config, installation.Deps{
		Pool: w.pool, Catalogue: w.catalogue, Signer: w.keys, NATSURL: w.nats.URL(), Stats: stats,
		Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = m.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(m.Close)
	return m
}

// credentials writes an agent's file.
func (w *world) credentials(server string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, server+".json")
	var keys []string
	for _, key := range w.keys.PublicKeys() {
		text, err := json.Marshal([]byte(key))
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, strings.Trim(string(text), `"`))
	}
	text, err := json.Marshal(agent.Credentials{
		License: w.license, ServerID: server, NATSURL: fmt.Sprintf("nats://127.0.0.1:%d", w.nats.Port()),
		User: "agent-" + w.license.String() + "-" + server, Password: password, Keys: keys,
	})
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) plugins(server string) string {
	dir := filepath.Join(w.dir, "plugins-"+server)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// ask installs the latest version on a server.
func (w *world) ask(server, module string) installation.Installation {
	w.t.Helper()
	made, err := w.m.Install(w.t.Context(), installation.Ask{License: w.license, Server: server, Module: module})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// wait waits until an installation has a status.
func (w *world) wait(id uuid.UUID, want installation.Status) installation.Installation {
	w.t.Helper()
	var found installation.Installation
	localtest.CheckFor(w.t, patience, 30*time.Millisecond, func() (err error) {
		if found, err = w.m.Find(w.t.Context(), w.license, id); err != nil {
			return err
		}
		if found.Status != want {
			return fmt.Errorf("it is %s (%s %s, attempt %d), want %s", found.Status, found.Code, found.Error, found.Attempt, want)
		}
		return nil
	})
	return found
}

// onDisk checks that a server's plugin directory has exactly these files, whole.
func (w *world) onDisk(server string, want map[string]string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.plugins(server))
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(w.plugins(server), entry.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		found[entry.Name()] = string(text)
	}
	if len(found) != len(want) {
		w.t.Errorf("%s has %d files, want %d", server, len(found), len(want))
	}
	for name, text := range want {
		if found[name] != text {
			w.t.Errorf("%s: %s has %d bytes %.20q, want %d", server, name, len(found[name]), found[name], len(text))
		}
	}
}

// statuses are those that an installation came through.
func (w *world) statuses(id uuid.UUID) (path string) {
	w.t.Helper()
	history, err := w.m.History(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	var words []string
	for _, change := range history {
		words = append(words, string(change.To))
	}
	return strings.Join(words, " ")
}

var errNotYet = errors.New("not yet")
