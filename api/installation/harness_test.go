package installation_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crypto/sha256"
	"encoding/hex"

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

// asAgent makes the test binary be an agent, so that tests can kill it; its value is a childAgent.
const asAgent = "CORROSION_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if text := os.Getenv(asAgent); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	localtest.Main(m)
}

const patience = 40 * time.Second

// childAgent is how an agent in a process of its own runs.
type childAgent struct {
	Credentials string
	Dir         string
	// DieAt is the point of the work at which it is killed; "" = it lives.
	DieAt string
	// Skew is how far its clock is ahead.
	Skew time.Duration
}

// agentConfig has bounds for tests.
func agentConfig(c childAgent) (agent.Config, error) {
	flags := agent.Flags{Plugins: c.Dir, Credentials: c.Credentials}
	credentials, err := agent.ReadCredentials(c.Credentials)
	if err != nil {
		return agent.Config{}, err
	}
	flags.License, flags.ServerID = credentials.License.String(), credentials.ServerID
	config, err := flags.Config(func(string) string { return "" })
	config.Heartbeat = 300 * time.Millisecond
	config.Download = agent.DownloadConfig{MaxBytes: 8 << 20, Total: 20 * time.Second, Window: 2 * time.Second, MinBytes: 100, Tries: 2, Wait: 10 * time.Millisecond}
	config.Now = func() time.Time { return time.Now().Add(c.Skew) }
	config.Logger = slog.New(slog.DiscardHandler)
	return config, err
}

// runChild is an agent until standard input ends.
func runChild(text string) error {
	var c childAgent
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	config, err := agentConfig(c)
	if err != nil {
		return err
	}
	config.Reached = func(point string) {
		if point == c.DieAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until it is gone
		}
	}
	a, err := agent.New(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	fmt.Println("running")
	return a.Run(ctx)
}

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

// child is an agent in a process of its own.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan error
}

// start runs a server's agent in a process of its own.
func (w *world) start(server string, change func(*childAgent)) *child {
	w.t.Helper()
	c := childAgent{Credentials: w.credentials(server), Dir: w.plugins(server)}
	if change != nil {
		change(&c)
	}
	text, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asAgent+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	p := &child{t: w.t, cmd: cmd, stdin: stdin, exited: make(chan error, 1)}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "running\n" {
		w.t.Fatalf("the agent said %q: %v", line, err)
	}
	go func() { p.exited <- cmd.Wait(); close(p.exited) }()
	w.t.Cleanup(func() { p.kill() })
	return p
}

// kill ends the agent at once.
func (p *child) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.stdin.Close()
}

// died waits until the agent has ended by itself.
func (p *child) died() {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("the agent lives on")
	}
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

// catalogue is a shop with files on a server of the test's.
type catalogue struct {
	pool     *pgxpool.Pool
	files    *files
	mu       sync.Mutex
	owned    map[string]bool
	releases map[string]installation.Release
	latest   map[string]string
}

// publish adds a version that the license owns.
func (w *world) publish(module, version, text string, needs ...installation.Need) installation.Release {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), `INSERT INTO modules (slug, name, price, currency, publisher, category) VALUES ($1, $1, 0, 'USD', 'test', 'test') ON CONFLICT DO NOTHING`, module)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	r := installation.Release{Module: module, Version: version, File: strings.ToUpper(module[:1]) + module[1:] + ".cs", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Needs: needs}
	_, err = w.pool.Exec(w.t.Context(), `INSERT INTO module_versions (module, version, file, sha256, size, created_at) VALUES ($1, $2, $3, $4, $5, now())`, module, version, r.File, r.SHA256, r.Size)
	for _, need := range needs {
		if err == nil {
			_, err = w.pool.Exec(w.t.Context(), `INSERT INTO module_dependencies (module, version, depends_on, min_version) VALUES ($1, $2, $3, $4)`, module, version, need.Module, need.MinVersion)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.catalogue.mu.Lock()
	defer w.catalogue.mu.Unlock()
	w.owned[w.license.String()+module] = true
	w.releases[module+"@"+version], w.latest[module] = r, version
	w.files.put(module+"@"+version, text)
	return r
}

// Owned implements installation.Catalogue.
func (c *catalogue) Owned(_ context.Context, license uuid.UUID, module string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owned[license.String()+module], nil
}

// Release implements installation.Catalogue.
func (c *catalogue) Release(_ context.Context, module, version string) (installation.Release, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version == "" {
		version = c.latest[module]
	}
	r, ok := c.releases[module+"@"+version]
	if !ok {
		return r, installation.ErrNoModule
	}
	return r, nil
}

// Link implements installation.Catalogue.
func (c *catalogue) Link(_ context.Context, module, version string, _ time.Time) (string, error) {
	return c.files.url + "/" + module + "@" + version, nil
}

// files is a server of files that may misbehave.
type files struct {
	url string

	mu      sync.Mutex
	texts   map[string]string
	handler http.HandlerFunc // nil = serve
	held    chan struct{}    // downloads stop in their middle until it closes
	asked   int
}

func newFiles(t *testing.T) *files {
	f := &files{texts: map[string]string{}}
	server := httptest.NewServer(f)
	f.url = server.URL
	t.Cleanup(func() { f.release(); server.CloseClientConnections(); server.Close() })
	return f
}

func (f *files) put(name, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts[name] = text
}

// misbehave answers with handler; nil ends that.
func (f *files) misbehave(handler http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = handler
}

// hold stops downloads in their middle until release.
func (f *files) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
}

func (f *files) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != nil {
		close(f.held)
		f.held = nil
	}
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	text, known := f.texts[strings.TrimPrefix(r.URL.Path, "/")]
	handler, held := f.handler, f.held
	f.asked++
	f.mu.Unlock()
	switch {
	case handler != nil:
		handler(w, r)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case held != nil && r.Header.Get("Range") == "":
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = io.WriteString(w, text[:len(text)/2])
		w.(http.Flusher).Flush()
		select {
		case <-held:
			_, _ = io.WriteString(w, text[len(text)/2:])
		case <-r.Context().Done():
		}
	default:
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
}

var errNotYet = errors.New("not yet")
