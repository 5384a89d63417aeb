package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// link is one connection to ClickHouse that opens when needed. It is not safe for concurrent use.
type link struct {
	url     string
	addrs   []string
	options ch.Options
	// cluster is the name of the cluster that the URL speaks of; empty for a single server, and for a link to one shard.
	cluster string

	client *ch.Client
	conn   net.Conn
	server serverStart // that the connection goes to
	clock  serverClock // of that server
}

func newLink(c *Config) (link, error) {
	parsed, err := stores.ClickHouseOptions(c.ClickHouseURL)
	if err != nil {
		return link{}, fmt.Errorf("ingest: ClickHouseURL: %w", err)
	}
	_, of, err := cluster.Split(c.ClickHouseURL)
	if err != nil {
		return link{}, fmt.Errorf("ingest: ClickHouseURL: %w", err)
	}
	return link{
		url: c.ClickHouseURL, addrs: parsed.Addr, cluster: of.Name,
		options: ch.Options{
			Database: parsed.Auth.Database, User: parsed.Auth.Username, Password: parsed.Auth.Password, TLS: parsed.TLS,
			Settings:    sessionSettings(of),
			Compression: compressionTo(parsed.Addr, c.Compression), ClientName: "corrosion-ingest", DialTimeout: 5 * time.Second,
		},
	}, nil
}

// sessionSettings are what the Distributed tables of a cluster need; of a single server, none.
func sessionSettings(of cluster.Options) (settings []ch.Setting) {
	if !of.Is() {
		return nil
	}
	for name, value := range stores.ClusterSettings() {
		settings = append(settings, ch.Setting{Key: name, Value: value, Important: true})
	}
	return settings
}

// serverStart tells one run of a ClickHouse server from the next.
type serverStart struct {
	// mark is drawn anew at each start (the id of a database that lives in memory); zero where the server has none.
	mark uuid.UUID
	// at is when the server started, give or take a second.
	at time.Time
}

// ranAt tells whether s already ran at a moment at which the server was known as earlier.
func (s serverStart) ranAt(moment time.Time, earlier serverStart) bool {
	if s.mark != (uuid.UUID{}) && earlier.mark != (uuid.UUID{}) {
		return s.mark == earlier.mark
	}
	return s.at.Before(moment.Add(-2 * time.Second))
}

// serverClock is what the server's clock said, and the moment here by which it had said so.
type serverClock struct {
	ms int64
	at time.Time
}

// clockAge is how long one reading of the server's clock is used; no two clocks drift apart noticeably in a minute.
const clockAge = time.Minute

// never later than the server's clock at that moment here, ms since the epoch.
func (c serverClock) when(moment time.Time) int64 { return c.ms + moment.Sub(c.at).Milliseconds() }

// identify asks a server for its start and its clock.
func (l *link) identify(ctx context.Context, client *ch.Client) error {
	var mark proto.ColUUID
	var uptime proto.ColUInt32
	var clock proto.ColInt64
	err := client.Do(ctx, ch.Query{
		Body:   identifyServer,
		Result: proto.Results{{Name: "mark", Data: &mark}, {Name: "s", Data: &uptime}, {Name: "ms", Data: &clock}},
	})
	if err != nil {
		return err
	}
	if len(mark) != 1 || len(uptime) != 1 || len(clock) != 1 {
		return errors.New("the server does not say when it started")
	}
	now := time.Now()
	l.server = serverStart{mark[0], now.Add(-time.Duration(uptime[0]) * time.Second)}
	l.clock = serverClock{clock[0], now}
	return nil
}

// connect takes the first address that answers.
func (l *link) connect(ctx context.Context) error {
	if l.client != nil && !l.client.IsClosed() {
		if time.Since(l.clock.at) < clockAge {
			return nil
		}
		if l.identify(ctx, l.client) == nil {
			return nil
		}
		l.close()
	}
	var faults []error
	for _, addr := range l.addrs {
		if err := l.dial(ctx, addr); err != nil {
			faults = append(faults, classify("dial "+addr, err))
			continue
		}
		return nil
	}
	return errors.Join(faults...)
}

func (l *link) dial(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*l.options.DialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: l.options.DialTimeout, KeepAlive: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	options, err := l.signIn()
	if err != nil {
		conn.Close()
		return err
	}
	if options.TLS != nil {
		conn = tls.Client(conn, stores.ExpectName(options.TLS, addr))
	}
	release := context.AfterFunc(ctx, func() { conn.Close() })
	defer release()
	client, err := ch.Connect(ctx, conn, options)
	if err != nil {
		conn.Close()
		return err
	}
	if err = l.identify(ctx, client); err != nil {
		_ = client.Close()
		return err
	}
	l.client, l.conn = client, conn
	return nil
}

// do sends one query over the open connection. After an error the connection is closed.
func (l *link) do(ctx context.Context, step string, q ch.Query) error {
	conn := l.conn
	release := context.AfterFunc(ctx, func() { conn.Close() }) // ch-go may wait in a read that no deadline bounds
	defer release()
	err := l.client.Do(ctx, q)
	if err != nil {
		l.close()
	}
	return classify(step, err)
}

// signIn reads password and certificates anew: their files may have been rotated.
func (l *link) signIn() (ch.Options, error) {
	options := l.options
	fresh, err := stores.ClickHouseOptions(l.url)
	if err != nil {
		return options, err
	}
	options.Password, options.TLS = fresh.Auth.Password, fresh.TLS
	return options, nil
}

// close ends the connection; the next connect opens another.
func (l *link) close() {
	if l.client != nil {
		_ = l.client.Close() // also closes conn; closing twice is harmless
		l.client, l.conn = nil, nil
	}
}

// compressionTo resolves auto: none where every address is on this machine.
func compressionTo(addrs []string, name string) ch.Compression {
	if c, known := compressionByName(name); known {
		return c
	}
	for _, addr := range addrs {
		host, _, _ := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return ch.CompressionLZ4
		}
	}
	return ch.CompressionDisabled
}

// compressionByName is what Config.Compression may say, beside auto.
func compressionByName(name string) (c ch.Compression, known bool) {
	switch name {
	case "lz4":
		return ch.CompressionLZ4, true
	case "zstd":
		return ch.CompressionZSTD, true
	case "none":
		return ch.CompressionDisabled, true
	}
	return ch.CompressionDisabled, false
}

// passes tells whether a refusal goes away by itself.
func passes(e *ch.Exception) bool {
	return e.IsCode(
		proto.ErrTooManyParts, proto.ErrMemoryLimitExceeded, proto.ErrTimeoutExceeded, proto.ErrTooManySimultaneousQueries,
		proto.ErrSocketTimeout, proto.ErrNetworkError, proto.ErrQueryWithSameIDIsAlreadyRunning, proto.ErrAborted,
		proto.ErrTableIsReadOnly, proto.ErrNotEnoughSpace, proto.ErrKeeperException, proto.ErrQueryWasCancelled,
		proto.ErrUnknownTable, proto.ErrUnknownDatabase, // not migrated yet
		proto.ErrFunctionThrowIfValueIsNonZero, // came too late; the next try has a later deadline
	)
}

// classify wraps err in what was tried and marks it as refused where trying again soon is of no use.
func classify(step string, err error) error {
	if err == nil {
		return nil
	}
	exception, ok := ch.AsException(err)
	if ok && exception.IsCode(proto.ErrFunctionThrowIfValueIsNonZero) && strings.Contains(exception.Message, healingWords) {
		return fmt.Errorf("%s: %w", step, errHealing)
	}
	if !ok || passes(exception) {
		return fmt.Errorf("%s: %w", step, err)
	}
	return fmt.Errorf("%s: %w: %w", step, errRefused, exception)
}
