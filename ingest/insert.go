package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"corrosion/schema"
)

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

// insertSettings make one batch one INSERT that returns when it is stored, in the table and in its views, and that a
// resend with the same token completes instead of repeating.
func insertSettings(token string) []ch.Setting {
	return []ch.Setting{
		{Key: "async_insert", Value: "0", Important: true},
		{Key: "insert_deduplicate", Value: "1", Important: true},
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1", Important: true},
		{Key: "insert_deduplication_token", Value: token, Important: true},
	}
}

// attempt is what is known of a batch's earlier tries.
type attempt struct {
	// first is when the first try began, server the ClickHouse that it went to.
	first  time.Time
	server serverStart
	// renewed counts the tokens given up because ClickHouse had been started anew.
	renewed int
	// doubtful says that an earlier try may have stored something.
	doubtful bool
}

// token names the batch's rows for ClickHouse's deduplication, and the INSERT that carries them.
func (b *batch) token() string { return fmt.Sprintf("corrosion-ingest-%s-%d", b.id, b.attempt.renewed) }

// inserter stores batches over one connection that it opens when needed. It is not safe for concurrent use.
//
// It speaks through ch-go, on which clickhouse-go stands: columns that were filled in memory go out as they are, where
// clickhouse-go would box every word and every map (BenchmarkInsert has the figures).
type inserter struct {
	addrs   []string
	options ch.Options
	timeout time.Duration
	query   string
	now     func() time.Time

	client *ch.Client
	conn   net.Conn
	server serverStart // that the connection goes to
}

func newInserter(c Config, now func() time.Time) (*inserter, error) {
	parsed, err := clickhouse.ParseDSN(c.ClickHouseURL)
	if err != nil {
		return nil, errors.New("ingest: ClickHouseURL: not a native ClickHouse URL") // the error would show the password
	}
	return &inserter{
		addrs: parsed.Addr,
		options: ch.Options{
			Database: parsed.Auth.Database, User: parsed.Auth.Username, Password: parsed.Auth.Password, TLS: parsed.TLS,
			Compression: compressionTo(parsed.Addr, c.Compression), ClientName: "corrosion-ingest", DialTimeout: 5 * time.Second,
		},
		timeout: c.InsertTimeout,
		query:   schema.InsertSamples() + " VALUES",
		now:     now,
	}, nil
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

// insert stores b as one block. Nil means that every row and what the views make of it is stored, once. After an error
// the same batch is given again; anything of it that is stored already is then not stored twice, unless ClickHouse was
// started anew in between.
func (i *inserter) insert(ctx context.Context, b *batch) (err error) {
	if b.rows == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	if err := i.connect(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	release := context.AfterFunc(ctx, func() { i.conn.Close() }) // ch-go may wait in a read that no deadline bounds
	defer release()
	i.settleDoubt(b)
	err = i.client.Do(ctx, ch.Query{
		Body: i.query, QueryID: b.token(), Input: b.input,
		Settings: insertSettings(b.token()),
	})
	return classify("insert", err)
}

// settleDoubt decides under which token a batch is sent. A ClickHouse that ran at the first try already honours its
// token: it drops what it has stored, and refuses a second INSERT of the same query_id while the first still runs. One
// that was started since may know a token whose rows it lost, so the batch needs a new one.
func (i *inserter) settleDoubt(b *batch) {
	try := &b.attempt
	if try.doubtful && !i.server.ranAt(try.first, try.server) {
		try.renewed++
		try.doubtful = false
	}
	if !try.doubtful {
		try.first, try.server, try.doubtful = i.now(), i.server, true
	}
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

// identify asks a server for its start.
func (i *inserter) identify(ctx context.Context, client *ch.Client) (serverStart, error) {
	var mark proto.ColUUID
	var uptime proto.ColUInt32
	err := client.Do(ctx, ch.Query{
		Body:   "SELECT anyIf(uuid, name = 'INFORMATION_SCHEMA') AS mark, toUInt32(uptime()) AS s FROM system.databases",
		Result: proto.Results{{Name: "mark", Data: &mark}, {Name: "s", Data: &uptime}},
	})
	if err != nil {
		return serverStart{}, err
	}
	if len(mark) != 1 || len(uptime) != 1 {
		return serverStart{}, errors.New("the server does not say when it started")
	}
	return serverStart{mark[0], i.now().Add(-time.Duration(uptime[0]) * time.Second)}, nil
}

// connect takes the first address that answers.
func (i *inserter) connect(ctx context.Context) error {
	if i.client != nil && !i.client.IsClosed() {
		return nil
	}
	var faults []error
	for _, addr := range i.addrs {
		if err := i.dial(ctx, addr); err != nil {
			faults = append(faults, classify("dial "+addr, err))
			continue
		}
		return nil
	}
	return errors.Join(faults...)
}

func (i *inserter) dial(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*i.options.DialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: i.options.DialTimeout, KeepAlive: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if i.options.TLS != nil {
		conn = tls.Client(conn, serverName(i.options.TLS, addr))
	}
	release := context.AfterFunc(ctx, func() { conn.Close() })
	defer release()
	client, err := ch.Connect(ctx, conn, i.options)
	if err != nil {
		conn.Close()
		return err
	}
	if i.server, err = i.identify(ctx, client); err != nil {
		_ = client.Close()
		return err
	}
	i.client, i.conn = client, conn
	return nil
}

// serverName fills in whose certificate is expected.
func serverName(config *tls.Config, addr string) *tls.Config {
	if config.ServerName != "" || config.InsecureSkipVerify {
		return config
	}
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(addr)
	return config
}

// close ends the connection; the next insert opens another.
func (i *inserter) close() {
	if i.client != nil {
		_ = i.client.Close() // also closes conn; closing twice is harmless
		i.client, i.conn = nil, nil
	}
}

// passes tells whether a refusal goes away by itself.
func passes(e *ch.Exception) bool {
	return e.IsCode(
		proto.ErrTooManyParts, proto.ErrMemoryLimitExceeded, proto.ErrTimeoutExceeded, proto.ErrTooManySimultaneousQueries,
		proto.ErrSocketTimeout, proto.ErrNetworkError, proto.ErrQueryWithSameIDIsAlreadyRunning, proto.ErrAborted,
		proto.ErrTableIsReadOnly, proto.ErrNotEnoughSpace, proto.ErrKeeperException, proto.ErrQueryWasCancelled,
		proto.ErrUnknownTable, proto.ErrUnknownDatabase, // not migrated yet
	)
}

// classify wraps err in what was tried and marks it as refused where trying again soon is of no use.
func classify(step string, err error) error {
	if err == nil {
		return nil
	}
	exception, ok := ch.AsException(err)
	if !ok || passes(exception) {
		return fmt.Errorf("%s: %w", step, err)
	}
	return fmt.Errorf("%s: %w: %w", step, errRefused, exception)
}
