package local_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// startNATS runs the server in this process, as the program does.
func startNATS(t *testing.T, authenticate local.Authenticate) *local.NATS {
	t.Helper()
	server, err := local.StartNATS(t.Context(), local.NATSConfig{
		Dir: t.TempDir(), User: "platform", Password: "secret", Authenticate: authenticate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

// Platforms that start at once want the same port, and all find it free.
func TestNATSServersStartAtOnce(t *testing.T) {
	const servers = 6
	port := taken(t)
	ports := make(chan int, servers)
	var all errgroup.Group
	for range servers {
		config := local.NATSConfig{Dir: t.TempDir(), User: "platform", Password: "secret", Port: port + 1}
		all.Go(func() error {
			server, err := local.StartNATS(t.Context(), config)
			if err != nil {
				return err
			}
			ports <- server.Port()
			t.Cleanup(func() { _ = server.Close(context.Background()) })
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	close(ports)
	seen := map[int]bool{}
	for port := range ports {
		if seen[port] {
			t.Errorf("port %d serves two", port)
		}
		seen[port] = true
	}
}

func natsAs(server *local.NATS, user, password string) string {
	return fmt.Sprintf("nats://%s:%s@127.0.0.1:%d", user, password, server.Port())
}

func TestNATSUsersMayOnlyWhatTheyAreGiven(t *testing.T) {
	server := startNATS(t, func(login local.Login) (*local.Grant, bool) {
		return &local.Grant{Permissions: local.Permissions{PublishAllow: []string{"a.>"}, PublishDeny: []string{"a.cmd"}}},
			login.User == "tenant" && login.Password == "pw" && strings.HasPrefix(login.Address, "127.0.0.1:")
	})
	platform, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer platform.Close()
	heard, err := platform.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := platform.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{natsAs(server, "tenant", "no"), natsAs(server, "platform", "pw"), fmt.Sprintf("nats://127.0.0.1:%d", server.Port())} {
		if conn, err := nats.Connect(wrong); !errors.Is(err, nats.ErrAuthorization) {
			conn.Close()
			t.Errorf("%s connects: %v", wrong, err)
		}
	}
	tenant, err := nats.Connect(natsAs(server, "tenant", "pw"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	for _, subject := range []string{"b.stats", "a.cmd", "$JS.API.INFO", "a.stats"} {
		if err := tenant.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tenant.SubscribeSync("a.stats"); err != nil {
		t.Fatal(err)
	}
	if err := tenant.Flush(); err != nil {
		t.Fatal(err)
	}
	message, err := heard.NextMsg(2 * time.Second)
	if err != nil || message.Subject != "a.stats" {
		t.Errorf("the platform hears %+v (%v), want a.stats alone", message, err)
	}
	want := local.Violations{Publish: 3, Subscribe: 1, Refused: 3}
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if got := server.Violations(); got != want {
			return fmt.Errorf("violations %+v, want %+v", got, want)
		}
		return nil
	})
}

func TestNATSClientsWaitWhileNobodyCanTell(t *testing.T) {
	var ready atomic.Bool
	var asked atomic.Int64
	server := startNATS(t, func(local.Login) (*local.Grant, bool) {
		asked.Add(1)
		if !ready.Load() {
			return nil, true
		}
		return &local.Grant{Name: "tenant#1", Permissions: local.Permissions{PublishAllow: []string{"a"}}}, true
	})
	conn, err := nats.Connect(natsAs(server, "tenant", "pw"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if n := asked.Load(); n < 5 {
			return fmt.Errorf("asked %d times", n)
		}
		return nil
	})
	if conn.IsClosed() {
		t.Fatal("the client gave up")
	}
	ready.Store(true)
	connected := func() error {
		if !conn.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	}
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, connected)
	before := conn.Stats().Reconnects
	live, err := server.Connections()
	if err != nil || len(live) != 1 || live[0].User != "tenant#1" {
		t.Fatalf("live: %+v, %v, want tenant#1 alone", live, err)
	}
	server.Disconnect(live[0].ID)
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if conn.Stats().Reconnects == before {
			return errors.New("was not disconnected")
		}
		return connected()
	})
}
