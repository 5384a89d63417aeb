package encode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"

	"corrosion/schema/connect/stores"
)

// Config is where and how exports run.
type Config struct {
	// URL is ClickHouse's HTTP interface, credentials included: http://user:password@host:8123/?database=corrosion.
	URL string
	// MaxExecution bounds one export as a whole.
	MaxExecution time.Duration
	// MaxIdle bounds how long the engine may send nothing, and how long it waits for a client that reads nothing.
	MaxIdle time.Duration
	// MaxSettle bounds how long an export waits for INSERTs under way, so that it has what could be seen when it was asked for.
	MaxSettle time.Duration
	// MaxMemory bounds what the engine uses for one export, bytes.
	MaxMemory uint64
	// MaxThreads bounds the engine's threads for one export, and with them its memory; 0 leaves it to the engine.
	MaxThreads int
}

// DefaultConfig allows an export an hour: at the slowest measured rate, 0.2 M rows/s, that is 700 million rows. The engine
// was seen to use 180 MiB for CSV and 330 MiB for NDJSON with two threads, whatever the length.
func DefaultConfig() Config {
	return Config{MaxExecution: time.Hour, MaxIdle: time.Minute, MaxSettle: time.Second, MaxMemory: 1 << 30, MaxThreads: 4}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if _, err := stores.ClickHouseHTTP(c.URL); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if c.MaxExecution < time.Second || c.MaxIdle < time.Second {
		return errors.New("export: MaxExecution and MaxIdle must be at least 1s")
	}
	if c.MaxSettle < 0 {
		return errors.New("export: MaxSettle must not be negative")
	}
	return nil
}

// What can go wrong with an export.
var (
	// ErrUnavailable says that ClickHouse could not be reached.
	ErrUnavailable = errors.New("clickhouse cannot be reached")
	// ErrBroken says that the answer ended before it was complete.
	ErrBroken = errors.New("export broke off")
)

// ServerError is an exception of ClickHouse before the first byte. Its message is for the log, never for a client.
type ServerError struct{ *stores.Exception }

// ClickHouse's codes that say "not now" rather than "never".
const (
	codeTimeout        = 159
	codeTooManyQueries = 202
	codeMemoryLimit    = 241
	codeQueryCancelled = 394
)

// Busy tells whether the same export may well succeed later.
func (e *ServerError) Busy() bool {
	switch e.Code {
	case codeTimeout, codeTooManyQueries, codeMemoryLimit, codeQueryCancelled:
		return true
	}
	return false
}

// Exporter runs exports. It is safe for concurrent use.
type Exporter struct {
	cfg       Config
	endpoint  url.URL
	store     *stores.HTTP
	client    *http.Client
	templates *template.Template
	watermark string
}

// New makes an Exporter; nothing is connected yet.
func New(cfg Config) (*Exporter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	templates, err := parseTemplates()
	if err != nil {
		return nil, fmt.Errorf("parse export SQL: %w", err)
	}
	target, err := stores.ClickHouseHTTP(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	watermark, err := sqlFiles.ReadFile("sql/watermark.sql")
	if err != nil {
		return nil, fmt.Errorf("read watermark SQL: %w", err)
	}
	return &Exporter{
		cfg: cfg, endpoint: target.Address(), store: target, templates: templates, watermark: string(watermark),
		client: newClient(target, cfg.MaxIdle),
	}, nil
}

// Close drops idle connections.
func (e *Exporter) Close() { e.client.CloseIdleConnections() }

// Export starts an export and returns when its first bytes are there, so that whatever can fail at once fails here:
// with ErrUnavailable, a *ServerError or the context's error. The Stream must be closed; it ends with ctx.
func (e *Exporter) Export(ctx context.Context, r Request) (*Stream, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	response, err := e.send(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	stream, err := newStream(response, r, cancel)
	if err != nil {
		cancel()
		return nil, err
	}
	return stream, nil
}

func (e *Exporter) send(ctx context.Context, r Request) (*http.Response, error) {
	statement, err := buildStatement(e.templates, r)
	if err != nil {
		return nil, fmt.Errorf("build export SQL: %w", err)
	}
	return e.post(ctx, statement.text, e.query(r, statement))
}

// post sends a query and gives the answer once its first bytes are there.
func (e *Exporter) post(ctx context.Context, text string, values url.Values) (*http.Response, error) {
	endpoint := e.endpoint
	endpoint.RawQuery = values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("make export request: %w", stripURL(err))
	}
	if err := e.store.SignIn(request); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	response, err := e.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, stripURL(err))
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, &ServerError{stores.Refusal(response)}
	}
	return response, nil
}

// query is the URL's query of an export: settings and parameters.
func (e *Exporter) query(r Request, s statement) url.Values {
	values := formatSettings(r.Format)
	for name, value := range e.endpoint.Query() {
		values[name] = value
	}
	e.bound(values, "export", s)
	if e.cfg.MaxThreads > 0 {
		values.Set("max_threads", strconv.Itoa(e.cfg.MaxThreads))
	}
	values.Set("http_send_timeout", strconv.Itoa(int(e.cfg.MaxIdle.Seconds())))
	values.Set("http_write_exception_in_output_format", "0")
	values.Set("cancel_http_readonly_queries_on_client_close", "1")
	return values
}

// bound adds a query's parameters and limits; kind begins its query_id.
func (e *Exporter) bound(values url.Values, kind string, s statement) {
	for name, value := range s.params {
		values.Set("param_"+name, value)
	}
	values.Set("query_id", kind+"-"+uuid.NewString())
	values.Set("max_execution_time", strconv.FormatFloat(e.cfg.MaxExecution.Seconds(), 'f', -1, 64))
	values.Set("max_memory_usage", strconv.FormatUint(e.cfg.MaxMemory, 10))
	// Only a read-only query is cancelled when its client goes away.
	values.Set("readonly", "2")
}

// stripURL leaves the request's URL out of an error: it holds parameters that do not belong in a log.
func stripURL(err error) error {
	var urlError *url.Error
	if errors.As(err, &urlError) {
		return urlError.Err
	}
	return err
}

func newClient(target *stores.HTTP, idle time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{Transport: target.Secure(&http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return idleConn{Conn: conn, idle: idle}, nil
		},
		DisableCompression:  true,
		ReadBufferSize:      256 << 10,
		MaxIdleConnsPerHost: 4,
		// ClickHouse closes idle connections after 2 to 30 s; being first avoids a race for them.
		IdleConnTimeout: time.Second,
	})}
}

// idleConn fails a Read that waits longer than idle: an engine that hangs must not hold an export for ever.
type idleConn struct {
	net.Conn
	idle time.Duration
}

func (c idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
