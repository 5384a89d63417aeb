package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// program is the platform as a process of its own, for tests that kill it.
type program struct {
	*platform
	command *exec.Cmd
	output  *lockedBuffer
}

// startProgram runs this test binary as corrosion serve.
func startProgram(t *testing.T, data string, flags ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)
	p := &program{platform: &platform{t: t, data: data}, output: &lockedBuffer{}, command: exec.Command(self, args...)}
	p.command.Env = append(os.Environ(), asProgram+"=1")
	p.command.Stdout, p.command.Stderr = p.output, p.output
	_ = os.Remove(data + "/endpoints.json") // one that a killed program left would look ready
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill(); _ = p.command.Wait() })
	localtest.CheckFor(t, 60*time.Second, 20*time.Millisecond, func() error {
		endpoints, err := local.ReadEndpoints(data)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, p.output)
		}
		p.Endpoints = endpoints
		return nil
	})
	return p
}

// What JetStream confirmed is stored and rolled up once although the program was killed in between, and a clean stop
// exits with 0.
func TestKillAndRestartKeepsAll(t *testing.T) {
	data := t.TempDir()
	p := startProgram(t, data)
	license, _ := p.license("killed")
	const rounds, perRound = 3, 400
	for round := range rounds {
		js := p.publisher()
		for i := range perRound {
			body := fmt.Sprintf(`{"server_id":"s%d","players":%d,"n":%d,"boot":"b%d"}`, i%10, i, i/10, round)
			if _, err := js.PublishAsync("corrosion."+license+".stats", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-time.After(20 * time.Second):
			t.Fatal("JetStream did not confirm")
		}
		if err := p.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.command.Wait()
		p = startProgram(t, data)
	}
	p.awaitSamples(license, rounds*perRound)
	if got := p.sql("SELECT uniqExact(epoch, seq, idx) FROM corrosion.samples WHERE license_id = '" + license + "'"); got != fmt.Sprint(rounds*perRound) {
		t.Errorf("%s different samples, want %d", got, rounds*perRound)
	}
	_ = p.command.Process.Signal(os.Interrupt)
	if err := p.command.Wait(); err != nil {
		t.Errorf("a clean stop: %v\n%s", err, p.output)
	}
}

func TestSecondInstanceIsRefused(t *testing.T) {
	p := startPlatform(t)
	var out lockedBuffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
	code := run(e, []string{"serve", "--data", p.data, "--listen", "127.0.0.1:0"})
	if code != 1 || !strings.Contains(out.String(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got exit %d and %q; want 1 and the holder's process id %d", code, out.String(), os.Getpid())
	}
}

// A license's game servers may publish their own stats, with JetStream's confirmation, and nothing else.
func TestGameServerRights(t *testing.T) {
	p := startPlatform(t)
	var mine, theirs struct {
		License  string `json:"license_id"`
		User     string `json:"nats_user"`
		Password string `json:"nats_password"`
	}
	for name, into := range map[string]any{"mine": &mine, "theirs": &theirs} {
		if err := json.Unmarshal([]byte(p.corrosion("license", "create", "--name", name)), into); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	violations := make(chan error, 16)
	conn, err := nats.Connect(u.Host, nats.UserInfo(mine.User, mine.Password), nats.CustomInboxPrefix("corrosion."+mine.License+".reply"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "corrosion."+mine.License+".stats", []byte(`{"server_id":"a","players":1}`)); err != nil {
		t.Errorf("its own stats: %v", err)
	}
	if _, err := js.Publish(t.Context(), "corrosion."+mine.License+".stats.a", []byte(`{"server_id":"a","players":1}`)); err != nil {
		t.Errorf("its own server's stats: %v", err)
	}
	for _, subject := range []string{"corrosion." + theirs.License + ".stats", "corrosion." + mine.License + ".a.cmd", "$JS.API.INFO"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := js.Publish(ctx, subject, []byte(`{"server_id":"a"}`)); err == nil {
			t.Errorf("publishing on %s was confirmed", subject)
		}
		cancel()
	}
	if _, err := conn.SubscribeSync("_INBOX.>"); err == nil {
		_ = conn.Flush()
	}
	localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
		if len(violations) < 4 {
			return fmt.Errorf("%d permission violations were told, want 4", len(violations))
		}
		return nil
	})
	if _, err := nats.Connect(u.Host, nats.UserInfo(mine.User, theirs.Password)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("another license's password: got %v, want an authorization error", err)
	}
	p.awaitSamples(mine.License, 2)
}

// Simulated servers arrive whole, and doctor finds nothing wrong.
func TestSimulateAndDoctor(t *testing.T) {
	p := startPlatform(t)
	license, token := p.license("simulated")
	out := p.corrosion("simulate", "--license", license, "--servers", "20", "--interval", "100ms", "--duration", "2s", "--batch", "10", "--compression", "zstd")
	var sent, messages, stored int
	if _, err := fmt.Sscanf(out, "%d samples in %d messages, %d stored", &sent, &messages, &stored); err != nil || sent == 0 || sent != stored {
		t.Fatalf("simulate said %q (%v)", out, err)
	}
	p.awaitSamples(license, sent)
	var summary struct {
		Samples int `json:"samples"`
		Servers struct{ Reporting int }
	}
	if status, body := p.get(token, "/api/analytics/summary", url.Values{"range": {"1h"}}, &summary); status != http.StatusOK || summary.Samples != sent || summary.Servers.Reporting < 18 {
		// One or two may be restarting just then, and say nothing.
		t.Errorf("summary: got %d %s; want %d samples of 20 servers", status, body, sent)
	}
	if out := p.corrosion("doctor"); strings.Contains(out, "FAULT") {
		t.Errorf("doctor found a fault:\n%s", out)
	}
}

// Services that are given by URL are used, and a lone role works against them.
func TestRolesAlone(t *testing.T) {
	p := startPlatform(t)
	license, token := p.license("roles")
	ctx, cancel := context.WithCancel(context.Background())
	var out lockedBuffer
	e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
	done := make(chan int, 1)
	go func() {
		done <- run(e, []string{"api", "--data", p.data, "--listen", "127.0.0.1:0", "--clickhouse-url", p.ClickHouseNative,
			"--clickhouse-http-url", p.ClickHouseHTTP, "--postgres-url", p.Postgres})
	}()
	defer func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("api exited with %d:\n%s", code, &out)
		}
	}()
	p.publish(license, `{"server_id":"a","players":5}`)
	p.awaitSamples(license, 1)
	alone := *p
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error {
		_, after, found := strings.Cut(out.String(), "ready: ")
		if !found {
			return fmt.Errorf("not ready: %s", out.String())
		}
		alone.HTTP, _, _ = strings.Cut(after, "\n")
		return nil
	})
	var summary struct{ Samples int }
	if status, body := alone.get(token, "/api/analytics/summary", nil, &summary); status != http.StatusOK || summary.Samples != 1 {
		t.Errorf("got %d %s; want one sample", status, body)
	}
}

func TestWrongCalls(t *testing.T) {
	f := func(want int, says string, args ...string) {
		t.Helper()
		var out lockedBuffer
		e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
		if code := run(e, args); code != want || !strings.Contains(out.String(), says) {
			t.Errorf("%v: got exit %d and %q; want %d with %q", args, code, out.String(), want, says)
		}
	}
	data := t.TempDir()
	f(0, "serve", "--help")
	f(2, "unexpected argument", "dance")
	f(2, "--license", "token")
	f(1, "not a UUID", "token", "--data", data, "--license", "x")
	f(1, "corrosion serve", "license", "create", "--data", data, "--name", "x")
	f(1, "corrosion serve", "sql", "--data", data, "SELECT 1")
	f(1, "--nats-url", "ingest", "--data", data)
	f(1, "RFC 3339", "replay", "--data", data, "--license", "x", "--from", "yesterday", "x.csv")
	f(1, "raw at least 1", "serve", "--data", data, "--listen", "127.0.0.1:0", "--retention-raw", "0")
	f(1, "raw at least 1", "migrate", "--data", data, "--retention-raw=-3")
	f(1, "--raw, --hourly or both", "retention", "set", "--data", data)
	f(2, "no number of days", "retention", "set", "--data", data, "--raw", "soon")
	f(1, "corrosion serve", "retention", "show", "--data", data)
	f(1, "not a UUID", "license", "sql-access", "--data", data, "--license", "x")
	f(2, "--revoke", "license", "sql-access", "--data", data, "--license", "x", "--revoke", "--rotate")
}

// A signal that comes before a role is ready stops it like any other.
func TestSignalWhileStarting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	url := "postgres://u:p@" + silent.Addr().String() + "/corrosion?sslmode=disable"
	for _, role := range []string{"ingest", "aggregate", "api"} {
		ctx, cancel := context.WithCancel(t.Context())
		var out lockedBuffer
		e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
		done := make(chan int, 1)
		go func() {
			done <- run(e, []string{role, "--data", t.TempDir(), "--nats-url", "nats://127.0.0.1:1", "--clickhouse-url",
				"clickhouse://u:p@127.0.0.1:1", "--postgres-url", url})
		}()
		connection, err := silent.Accept()
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("%s: exit %d\n%s", role, code, &out)
		}
		connection.Close()
	}
}
