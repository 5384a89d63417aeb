package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/api/account"
	"corrosion/deploy/local/localtest"
)

// credentials runs a command that prints a NATS user.
func (p *platform) credentials(args ...string) account.NATSCredentials {
	p.t.Helper()
	var made account.NATSCredentials
	if err := json.Unmarshal([]byte(p.corrosion(args...)), &made); err != nil {
		p.t.Fatal(err)
	}
	return made
}

// login connects with a NATS user to the platform's NATS.
func (p *platform) login(user account.NATSCredentials) (*nats.Conn, error) {
	p.t.Helper()
	u, err := url.Parse(p.NATS)
	if err != nil {
		p.t.Fatal(err)
	}
	conn, err := nats.Connect(u.Scheme+"://"+u.Host, nats.UserInfo(user.NATSUser, user.NATSPassword), nats.MaxReconnects(-1),
		nats.ReconnectWait(20*time.Millisecond), nats.Timeout(15*time.Second), nats.CustomInboxPrefix("corrosion."+user.LicenseID.String()+".reply"))
	if err == nil {
		p.t.Cleanup(conn.Close)
	}
	return conn, err
}

// throughItsLife takes a license and an agent from their first connection to the last, by commands alone.
func (p *platform) throughItsLife() {
	t := p.t
	t.Helper()
	made := p.credentials("license", "create", "--name", "North")
	id := made.LicenseID.String()
	game, err := p.login(made)
	if err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, 20*time.Second, 50*time.Millisecond, func() error { // the ingester makes its streams first
		_, err := game.Request("corrosion."+id+".stats", []byte(`{"server_id":"eu-1","players":7}`), 20*time.Second)
		return err
	})
	rotated := p.credentials("license", "nats-rotate", "--license", id, "--overlap", "1h")
	if rotated.PreviousUntil == nil {
		t.Errorf("got %+v", rotated)
	}
	if _, err := p.login(rotated); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if !game.IsConnected() {
		t.Error("the overlap is not kept")
	}
	last := p.credentials("license", "nats-rotate", "--license", id)
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		if !game.IsClosed() {
			return errors.New("the old password's connection is still there")
		}
		return nil
	})
	if _, err := p.login(last); err != nil {
		t.Errorf("the last password: %v", err)
	}
	agent := p.credentials("agent-user", "create", "--license", id, "--server-id", "eu-1")
	conn, err := p.login(agent)
	if err != nil {
		t.Fatal(err)
	}
	p.corrosion("agent-user", "revoke", "--license", id, "--server-id", "eu-1")
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		if !conn.IsClosed() {
			return errors.New("the revoked agent's connection is still there")
		}
		return nil
	})
	_, metrics := p.get("", "/metrics", nil, nil)
	for _, want := range []string{`corrosion_nats_denied_total{kind="password"}`, `corrosion_nats_denied_total{kind="unknown-user"}`, "corrosion_nats_kicked_total"} {
		if !strings.Contains(metrics, want) || strings.Contains(metrics, want+" 0\n") {
			t.Errorf("%s is missing or 0", want)
		}
	}
}

func TestNATSLoginsLocal(t *testing.T) {
	startPlatform(t).throughItsLife()
}

// The same with a stock nats-server that has nothing but the printed configuration.
func TestNATSLoginsStock(t *testing.T) {
	data := t.TempDir()
	p := &platform{t: t, data: data}
	server := localtest.NewStockNATS(t, p.corrosion("nats", "config"))
	flags := map[string]string{}
	for line := range strings.Lines(p.corrosion("nats", "config", "--env", "--server", server.Addr())) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		flags[name] = value
	}
	if want := filepath.Join(data, "nats-callout.json"); flags["CORROSION_NATS_CALLOUT_KEY_FILE"] != want {
		t.Errorf("got %v, want key file %s", flags, want)
	}
	startPlatformOn(t, data, "--nats-url", flags["CORROSION_NATS_URL"], "--nats-callout-key-file", flags["CORROSION_NATS_CALLOUT_KEY_FILE"]).throughItsLife()
}

func TestNATSCommandsWithBadInput(t *testing.T) {
	p := startPlatform(t)
	made := p.credentials("license", "create", "--name", "North")
	id := made.LicenseID.String()
	none := "00000000-0000-4000-8000-000000000000"
	f := func(want string, args ...string) {
		t.Helper()
		if code, out, stderr := p.try(args...); code == 0 || !strings.Contains(stderr, want) || out != "" {
			t.Errorf("%v: exit %d, %s%s, want %q", args, code, out, stderr, want)
		}
	}
	f("not a UUID", "license", "nats-rotate", "--license", "x")
	f("no such license", "license", "nats-rotate", "--license", none)
	f("overlap", "license", "nats-rotate", "--license", id, "--overlap", "-1s")
	f("overlap", "license", "nats-rotate", "--license", id, "--overlap", "10000h")
	f("duration", "license", "nats-rotate", "--license", id, "--overlap", "soon")
	f("no such license", "agent-user", "create", "--license", none, "--server-id", "eu-1")
	f("server id", "agent-user", "create", "--license", id, "--server-id", "eu.1")
	f("server id", "agent-user", "create", "--license", id, "--server-id", "stats")
	f("no NATS user", "agent-user", "revoke", "--license", id, "--server-id", "eu-1")
	f("host and a port", "nats", "config", "--server", "x")
	p.data = t.TempDir() // nothing runs there
	f("--nats-url", "serve", "--nats-callout-key-file", "x")
	f("callout keys", "serve", "--nats-url", "nats://127.0.0.1:1", "--nats-callout-key-file", fmt.Sprint(t.TempDir(), "/none"))
}
