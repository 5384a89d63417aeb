package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/connect"
	"corrosion/schema/schematest"
)

// fleet is roles in processes of their own, on services that outlive them.
type fleet struct {
	*platform
	t *testing.T
	// flags reach the services.
	flags []string
	conn  driver.Conn
	js    jetstream.JetStream
	id    string // of the license
	// wrap is what roles are run by way of; nil: nothing.
	wrap []string
}

// newFleet is newFleetOn on a ClickHouse and a database of its own.
func newFleet(t *testing.T, natsURL string, more ...string) *fleet {
	t.Helper()
	store := localtest.NewClickHouse(t)
	return newFleetOn(t, local.Endpoints{NATS: natsURL, ClickHouseNative: store.URL(), ClickHouseHTTP: store.HTTPURL(), Postgres: localtest.PostgresURL(t)}, more...)
}

// newFleetOn brings both stores to the schema and makes a license; no role runs yet. more are flags of every command.
func newFleetOn(t *testing.T, at local.Endpoints, more ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, platform: &platform{t: t, data: t.TempDir(), Endpoints: at}}
	f.flags = append([]string{"--nats-url", at.NATS, "--clickhouse-url", at.ClickHouseNative, "--clickhouse-http-url", at.ClickHouseHTTP, "--postgres-url", at.Postgres}, more...)
	f.must("migrate")
	var made struct {
		ID string `json:"license_id"`
	}
	if err := json.Unmarshal([]byte(f.must("license", "create", "--name", "Fleet")), &made); err != nil {
		t.Fatal(err)
	}
	f.id, f.conn = made.ID, schematest.Connect(t, at.ClickHouseNative)
	f.js = f.stream(at.NATS)
	return f
}

// must runs a command with the flags of the services.
func (f *fleet) must(args ...string) string {
	f.t.Helper()
	return f.corrosion(append(args, f.flags...)...)
}

// stream connects to JetStream as the platform.
func (f *fleet) stream(natsURL string) jetstream.JetStream {
	f.t.Helper()
	conn, err := connect.NATS(natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		f.t.Fatal(err)
	}
	return js
}

// member is a role that runs; address is where it answers /readyz.
type member struct {
	*child
	address string
	args    []string
}

// launch runs a role, and waits until it is ready.
func (f *fleet) launch(role string, flags ...string) *member {
	f.t.Helper()
	m := &member{address: freeAddress(f.t)}
	listen := "--probe-listen"
	if role == "api" {
		listen = "--listen"
	}
	m.args = append(append([]string{role, "--data", f.data, listen, m.address}, f.flags...), flags...)
	f.again(m)
	return m
}

// again starts a role anew that has ended, at the same address.
func (f *fleet) again(m *member) {
	f.t.Helper()
	m.child = startShipped(f.t, f.wrap, m.args...)
	localtest.CheckFor(f.t, 60*time.Second, 20*time.Millisecond, func() error {
		if err := ready(m.address); err != nil {
			return fmt.Errorf("%s is not ready: %w\n%s", m.args[0], err, m.log)
		}
		return nil
	})
}

// startShipped runs the program as it is shipped, where wrap is not nil by way of another one, which gets it behind its own
// arguments. The NATS servers of the race detector's build are too slow for a cluster, and race with themselves.
func startShipped(t *testing.T, wrap []string, args ...string) *child {
	t.Helper()
	call := append(append(slices.Clone(wrap), localtest.Build(t, "corrosion/cmd/corrosion")), args...)
	c := &child{t: t, cmd: exec.Command(call[0], call[1:]...), log: &lockedBuffer{}}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	diesWithUs(c.cmd)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", args[0], c.log)
		}
	})
	return c
}

// kill ends a process with SIGKILL.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// terminate ends a process as systemd does, and fails unless it exits with 0.
func (c *child) terminate() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("after SIGTERM: %v\n%s", err, c.log)
	}
}

// readOnlyRoot runs a program where it can write nothing but one directory, as in a container whose root is read-only; nil
// where this machine does not let a test mount.
func readOnlyRoot(t *testing.T, writable string) []string {
	t.Helper()
	const script = `mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd / && exec "$@"`
	for _, flags := range []string{"-m", "-rm"} { // as root, and as somebody who is root in a namespace of users
		wrap := []string{"unshare", flags, "/bin/sh", "-c", script, writable}
		if exec.CommandContext(t.Context(), wrap[0], append(wrap[1:], "true")...).Run() == nil {
			return wrap
		}
	}
	t.Log("nothing can be mounted here: the root stays writable")
	return nil
}

// floodServers are how many servers a flood has, each with a publisher of its own.
const floodServers = 8

// flood publishes numbered samples of several servers, each again until JetStream confirms it.
type flood struct {
	f       *fleet
	stopped chan struct{}
	work    sync.WaitGroup
	sent    [floodServers]atomic.Int64
	again   atomic.Int64
}

// startFlood publishes one sample of each server every pause until end.
func (f *fleet) startFlood(pause time.Duration) *flood {
	l := &flood{f: f, stopped: make(chan struct{})}
	for server := range floodServers {
		l.work.Go(func() { l.publish(server, pause) })
	}
	return l
}

func (l *flood) publish(server int, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.stopped:
			return
		case <-tick.C:
		}
		name := fmt.Sprintf("s-%d", server)
		subject := "corrosion." + l.f.id + ".stats"
		if server%2 == 1 {
			subject += "." + name
		}
		m := &nats.Msg{Subject: subject, Header: nats.Header{}, Data: fmt.Appendf(nil, `{"server_id":%q,"boot":"only","n":%d,"players":%d}`, name, n, n%100)}
		m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s-%d", name, n))
		for !l.confirmed(m) {
			l.again.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
		l.sent[server].Add(1)
	}
}

func (l *flood) confirmed(m *nats.Msg) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := l.f.js.PublishMsg(ctx, m)
	return err == nil
}

// total is how many samples are confirmed by now.
func (l *flood) total() (n int64) {
	for i := range l.sent {
		n += l.sent[i].Load()
	}
	return n
}

// end stops the publishers and waits until every sample is stored; each must be there once.
func (l *flood) end() {
	l.f.t.Helper()
	close(l.stopped)
	l.work.Wait()
	localtest.CheckFor(l.f.t, 60*time.Second, 50*time.Millisecond, l.stored)
	time.Sleep(500 * time.Millisecond) // a second copy would come now
	if err := l.stored(); err != nil {
		l.f.t.Error(err)
	}
	l.f.t.Logf("%d samples stored once, %d publishes repeated", l.total(), l.again.Load())
}

// stored counts every sample of every server.
func (l *flood) stored() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var faults []error
	for server := range floodServers {
		var rows, different, newest uint64
		err := l.f.conn.QueryRow(ctx, "SELECT count(), uniqExact(n), max(n) FROM samples WHERE license_id = $1 AND server_id = $2", l.f.id, fmt.Sprintf("s-%d", server)).Scan(&rows, &different, &newest)
		if want := uint64(l.sent[server].Load()); err != nil || rows != want || different != want || newest+1 != want {
			faults = append(faults, fmt.Errorf("server %d: %d rows of %d samples up to %d, want %d: %w", server, rows, different, newest, want, errors.Join(err, errors.New("not equal"))))
		}
	}
	return errors.Join(faults...)
}

// fenced gives the block of a document below docs that begins with the line first.
func fenced(t *testing.T, document, first string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(raw), "\n"+first)
	if !found {
		t.Fatalf("%s has no block that begins with %q", document, first)
	}
	block, _, _ = strings.Cut(block, "\n```")
	return first + block + "\n"
}
