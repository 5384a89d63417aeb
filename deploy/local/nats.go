package local

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// natsMaxPayload is the largest message in bytes, headers included.
	natsMaxPayload = mebibyte
	// natsAuthTimeout leaves Authenticate time to ask a store, in seconds.
	natsAuthTimeout = 10
	// natsSyncEvery bounds what a power cut can cost; a killed process loses nothing.
	natsSyncEvery = 10 * time.Second
	// defaultNATSStore bounds JetStream on disk, in bytes. A fixed figure: one
	// that follows the free space could refuse to recover its own streams.
	defaultNATSStore  = 32 * gibibyte
	defaultNATSMemory = 256 * mebibyte
	// connectionsAtOnce is more than one server can have.
	connectionsAtOnce = 1 << 20
)

// NATSConfig says how the embedded NATS server runs.
type NATSConfig struct {
	// Dir holds JetStream's files; LogDir holds nats.log, empty = Dir.
	Dir, LogDir string
	// Port is taken when free, else another is chosen; 0 = any.
	Port int
	// User and Password are the platform's, which may do everything.
	User, Password string
	// Authenticate decides about everybody else; nil = nobody else may connect.
	Authenticate Authenticate
	// MaxStore and MaxMemory bound JetStream in bytes; 0 = 32 GiB and 256 MiB.
	MaxStore, MaxMemory int64
}

// NATS is a NATS server with JetStream inside this process.
type NATS struct {
	config NATSConfig
	server *server.Server
	log    *natsLog
	closed sync.Once
}

// StartNATS returns once the server accepts connections and JetStream has
// recovered its streams.
func StartNATS(ctx context.Context, config NATSConfig) (*NATS, error) {
	if config.LogDir == "" {
		config.LogDir = config.Dir
	}
	if config.Password == "" {
		return nil, errors.New("start nats: no platform password")
	}
	for _, dir := range []string{config.Dir, config.LogDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("start nats: %w", err)
		}
	}
	var n *NATS
	err := onFreePorts(ctx, func(ports []int) (err error) {
		config.Port = ports[0]
		n, err = startNATS(ctx, config)
		return err
	}, config.Port)
	return n, err
}

func startNATS(ctx context.Context, config NATSConfig) (*NATS, error) {
	file, err := openLog(filepath.Join(config.LogDir, "nats.log"))
	if err != nil {
		return nil, err
	}
	n := &NATS{config: config, log: newNATSLog(slog.NewJSONHandler(file, nil), file)}
	if n.server, err = server.NewServer(n.options()); err != nil {
		return nil, errors.Join(fmt.Errorf("start nats: %w", err), file.Close())
	}
	n.server.SetLoggerV2(n.log, false, false, false)
	if err := n.run(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start nats: %w", err), n.Close(ctx))
	}
	return n, nil
}

func (n *NATS) options() *server.Options {
	options := &server.Options{
		ServerName: "corrosion-local", Host: loopback, Port: n.config.Port,
		NoSigs: true, MaxPayload: natsMaxPayload, AuthTimeout: natsAuthTimeout,
		JetStream: true, StoreDir: n.config.Dir, SyncInterval: natsSyncEvery,
		JetStreamMaxStore: n.config.MaxStore, JetStreamMaxMemory: n.config.MaxMemory,
	}
	options.CustomClientAuthentication = natsGate{nats: n}
	if options.JetStreamMaxStore == 0 {
		options.JetStreamMaxStore = defaultNATSStore
	}
	if options.JetStreamMaxMemory == 0 {
		options.JetStreamMaxMemory = defaultNATSMemory
	}
	return options
}

// run starts the server and waits until it is ready.
func (n *NATS) run(ctx context.Context) error {
	started := make(chan struct{})
	go func() {
		defer close(started)
		n.server.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		return fmt.Errorf("recover streams: %w", ctx.Err())
	}
	return n.ready()
}

func (n *NATS) ready() error {
	for range startLimit / time.Second {
		if n.server.ReadyForConnections(time.Second) {
			if n.server.JetStreamEnabled() {
				return nil
			}
			break
		}
		// The server says so in its log alone.
		if strings.Contains(n.log.lastError(), syscall.EADDRINUSE.Error()) {
			return errors.New(n.log.lastError())
		}
	}
	return fmt.Errorf("server does not answer: %s", n.log.lastError())
}

// URL is a nats:// URL with the platform's user and password.
func (n *NATS) URL() string {
	u := url.URL{Scheme: "nats", User: url.UserPassword(n.config.User, n.config.Password), Host: hostPort(n.config.Port)}
	return u.String()
}

// Port is the port that the server listens on.
func (n *NATS) Port() int { return n.config.Port }

// Violations counts what the server refused since it started.
func (n *NATS) Violations() Violations { return n.log.violations() }

// Connection is a live connection; User is what its Grant calls it.
type Connection struct {
	ID   uint64
	User string
}

// Connections are all live connections, the platform's too.
func (n *NATS) Connections() ([]Connection, error) {
	found, err := n.server.Connz(&server.ConnzOptions{Username: true, Limit: connectionsAtOnce})
	if err != nil {
		return nil, fmt.Errorf("list NATS connections: %w", err)
	}
	out := make([]Connection, 0, len(found.Conns))
	for _, c := range found.Conns {
		out = append(out, Connection{ID: c.Cid, User: c.AuthorizedUser})
	}
	return out, nil
}

// Disconnect ends a connection without an authorization error; one that is
// gone is fine. Clients reconnect by themselves, so revoke first.
func (n *NATS) Disconnect(id uint64) {
	_ = n.server.DisconnectClientByID(id) // its only error is that the connection is gone
}

// Close stops the server, with all that JetStream acknowledged on disk; a
// second call does nothing.
func (n *NATS) Close(context.Context) error {
	var err error
	n.closed.Do(func() {
		n.server.Shutdown()
		n.server.WaitForShutdown()
		err = n.log.Close()
	})
	return err
}

// isPlatform compares in constant time.
func (n *NATS) isPlatform(user, password string) bool {
	sameUser := subtle.ConstantTimeCompare([]byte(user), []byte(n.config.User))
	samePassword := subtle.ConstantTimeCompare([]byte(password), []byte(n.config.Password))
	return sameUser&samePassword == 1
}
