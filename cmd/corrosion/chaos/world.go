package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	sql "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// Program makes a command that runs corrosion with the arguments and ends when its standard input does.
type Program func(args ...string) *exec.Cmd

// slots is how many ingesters may run at once.
const slots = 2

// world is the servers, the ingesters between them, and the proxies on the way.
type world struct {
	t       testing.TB
	config  *Config
	program Program
	journal *journal
	dir     string

	clickhouse *localtest.ClickHouseServer
	nats       *localtest.NATSServer
	postgres   string
	// links lead from the ingesters to ClickHouse and NATS, and from half of the publishers to NATS.
	toClickHouse, toNATS, fromPublishers *localtest.Proxy

	// Direct ways, for the verifier.
	conn sql.Conn
	nc   *nats.Conn
	js   jetstream.JetStream

	ingesters  [slots]*process
	aggregator *process
	findings   []string
}

func newWorld(t testing.TB, c *Config, program Program, j *journal, dir string) *world {
	t.Helper()
	w := &world{t: t, config: c, program: program, journal: j, dir: dir, clickhouse: localtest.NewClickHouse(t), nats: localtest.NewNATS(t)}
	w.postgres = schematest.PostgresURL(t)
	if _, err := schema.MigrateClickHouse(t.Context(), w.clickhouse.URL()); err != nil {
		t.Fatal(err)
	}
	w.toClickHouse = localtest.NewProxy(t, host(t, w.clickhouse.URL()))
	w.toNATS = localtest.NewProxy(t, host(t, w.nats.URL()))
	w.fromPublishers = localtest.NewProxy(t, host(t, w.nats.URL()))
	w.conn = schematest.Connect(t, w.clickhouse.URL())
	var err error
	if w.nc, err = nats.Connect(w.nats.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nc.Close)
	if w.js, err = jetstream.New(w.nc); err != nil {
		t.Fatal(err)
	}
	if others := w.nc.DiscoveredServers(); len(others) > 0 {
		t.Fatalf("NATS tells its clients of %v: they would go round the proxy", others)
	}
	t.Cleanup(func() {
		for slot := range w.ingesters {
			w.kill(slot)
		}
		w.killAggregator()
	})
	return w
}

// admit makes the ledger's licenses exist.
func (w *world) admit(l *ledger) error {
	pool, err := openPool(w.t.Context(), w.postgres)
	if err != nil {
		return err
	}
	defer pool.Close()
	for i, license := range l.licenses() {
		if err := pg.New(pool).EnsureLicense(w.t.Context(), pg.EnsureLicenseParams{ID: license, Name: "chaos " + strconv.Itoa(i)}); err != nil {
			return fmt.Errorf("add a license: %w", err)
		}
	}
	return nil
}

// find notes something that must not be. It belongs to the driver's goroutine.
func (w *world) find(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.findings = append(w.findings, text)
	w.journal.write("finding", text)
	w.t.Log("FINDING: " + text)
}

// process is one run of an ingester.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	exited chan struct{}
	err    error // read after exited is closed
}

// start runs an ingester in a slot, unless one runs there already.
func (w *world) start(slot int) {
	w.reap(slot)
	if w.ingesters[slot] != nil {
		return
	}
	p, err := w.spawn(slot)
	if err != nil {
		w.t.Fatal("start ingester:", err)
	}
	w.ingesters[slot] = p
}

func (w *world) spawn(slot int) (*process, error) {
	return w.launch(fmt.Sprintf("ingester-%d", slot), "ingest",
		"--nats-url", via(w.t, w.nats.URL(), w.toNATS), "--clickhouse-url", via(w.t, w.clickhouse.URL(), w.toClickHouse),
		"--postgres-url", w.postgres, "--data", w.dir, "--ack-wait", w.config.AckWait.String(), "--takeover", w.config.Takeover.String(),
		"--stream-max-bytes", strconv.FormatInt(w.config.StreamMaxBytes, 10))
}

// launch runs the program with its output in a log of that name.
func (w *world) launch(name string, args ...string) (*process, error) {
	logs, err := os.OpenFile(filepath.Join(w.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	ends, keep, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ends.Close()
	cmd := w.program(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ends, logs, logs
	if err := cmd.Start(); err != nil {
		keep.Close()
		return nil, err
	}
	p := &process{cmd: cmd, stdin: keep, exited: make(chan struct{})}
	go func() { // ends with the process
		p.err = cmd.Wait()
		keep.Close()
		close(p.exited)
	}()
	return p, nil
}

// reap notes an ingester that ended by itself.
func (w *world) reap(slot int) {
	p := w.ingesters[slot]
	if p == nil {
		return
	}
	select {
	case <-p.exited:
		w.find("ingester %d ended by itself: %v", slot, p.err)
		w.ingesters[slot] = nil
	default:
	}
}

// kill ends an ingester with SIGKILL and tells whether there was one.
func (w *world) kill(slot int) bool {
	w.reap(slot)
	p := w.ingesters[slot]
	if p == nil {
		return false
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	w.ingesters[slot] = nil
	return true
}

// stopLimit bounds an ingester's clean stop: ten seconds for what it holds, and what the machine needs.
const stopLimit = 40 * time.Second

// stop ends an ingester as an operator would.
func (w *world) stop(slot int) {
	w.reap(slot)
	p := w.ingesters[slot]
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.exited:
		if p.err != nil {
			w.find("ingester %d stopped with %v, want exit 0", slot, p.err)
		}
		w.ingesters[slot] = nil
	case <-limit.C:
		w.find("ingester %d did not stop within %s", slot, stopLimit)
		w.kill(slot)
	}
}

// waiting is how many messages the streams hold, and how many bytes.
func (w *world) waiting() (messages, bytes uint64, err error) {
	for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
		state, err := w.stream(name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		messages, bytes = messages+state.Msgs, bytes+state.Bytes
	}
	return messages, bytes, nil
}

// newerThan tells whether all messages that the streams hold came after a moment.
func (w *world) newerThan(moment time.Time) bool {
	for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
		state, err := w.stream(name)
		if err != nil || state.Msgs > 0 && !state.FirstTime.After(moment) {
			return false
		}
	}
	return true
}

func (w *world) stream(name string) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := w.js.Stream(ctx, name)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return s.CachedInfo().State, nil
}

// inserting tells whether ClickHouse works on an INSERT now.
func (w *world) inserting() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var n uint64
	err := w.conn.QueryRow(ctx, "SELECT count() FROM system.processes WHERE query_kind = 'Insert'").Scan(&n)
	return err == nil && n > 0
}

func host(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func via(t testing.TB, raw string, proxy *localtest.Proxy) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = proxy.Addr()
	return u.String()
}
