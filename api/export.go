package api

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/trace"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/query"
	"corrosion/api/registry"
	"corrosion/schema"
)

const (
	exportPath      = "/api/analytics/export"
	rowCountTrailer = "X-Row-Count"
	cursorTrailer   = "X-Next-Cursor"
)

// exportInput describes the parameters of an export for the OpenAPI document.
type exportInput struct {
	AnalyticsInput
	Granularity string `query:"granularity" enum:"raw,hourly" default:"raw" doc:"Every sample, or one row a server and hour."`
	Format      string `query:"format" enum:"csv,ndjson,parquet" default:"csv" doc:"The kind of file."`
	After       string `query:"after" doc:"The X-Next-Cursor of an earlier export of the same servers: only samples received since, whatever their ts, in place of a range. Raw only."`
}

// export streams a file. Until its first bytes are there every fault is a problem answer; after that a fault breaks the
// connection.
func (s *Server) export(c *fiber.Ctx) error {
	ask, err := s.exportAsk(c)
	if err != nil {
		return err
	}
	request := &ask.request
	if c.Context().IsHead() {
		request.StoredBefore = s.deps.Now()
		setExportHeaders(c, *request)
		return nil
	}
	release, err := s.exports.acquire(request.License)
	if err != nil {
		return err
	}
	stream, next, err := s.startExport(c, ask)
	if err != nil {
		release()
		return err
	}
	s.metrics.exports.Inc()
	setExportHeaders(c, *request)
	setTrailers(c, next)
	s.sendExport(c, &exportStream{
		stream: stream, server: s, request: *request, release: release, next: next,
		header: &c.Context().Response.Header, conn: bulkConn(c.Context()),
	})
	return nil
}

// startExport fixes what the export will have, and gives the cursor behind it: none for hours.
func (s *Server) startExport(c *fiber.Ctx, ask *exportAsk) (stream *encode.Stream, next string, err error) {
	if ask.request.Granularity == schema.Raw {
		ask.request.StoredBefore, err = s.deps.Exporter.Watermark(c.UserContext(), ask.request.StoredSince)
		if err != nil {
			return nil, "", err
		}
		if next, err = ask.next(s.deps.Keys); err != nil {
			return nil, "", err
		}
	}
	// Not the request's own context: that ends with this handler.
	ctx := trace.ContextWithRemoteSpanContext(s.base, trace.SpanContextFromContext(c.UserContext()))
	stream, err = s.deps.Exporter.Export(ctx, ask.request)
	return stream, next, err
}

// setTrailers announces them; that fails for headers that a trailer must not be, which these may.
func setTrailers(c *fiber.Ctx, next string) {
	header := &c.Context().Response.Header
	_ = header.AddTrailer(rowCountTrailer)
	if next != "" {
		_ = header.AddTrailer(cursorTrailer)
	}
}

func (s *Server) sendExport(c *fiber.Ctx, stream *exportStream) {
	if stream.conn != nil {
		stream.conn.begin()
	}
	stateOf(c).stream = stream
	c.Context().SetBodyStream(stream, -1)
}

func bulkConn(ctx *fasthttp.RequestCtx) *conn {
	c, _ := ctx.Conn().(*conn)
	return c
}

func (s *Server) exportAsk(c *fiber.Ctx) (*exportAsk, error) {
	st := stateOf(c)
	license, err := st.license()
	if err != nil {
		return nil, err
	}
	retention, err := s.deps.Queries.Retention(c.UserContext())
	if err != nil {
		return nil, err
	}
	in := newInputs(st.values, s.known[exportPath], s.deps.Now(), retention)
	ask := s.readExport(in, license)
	if ask.request.Format.Compressible() {
		ask.request.Encoding = contentCoding(c)
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return ask, s.selectFor(c.UserContext(), &ask.request, ask.selector)
}

// selectFor leaves of an export's servers what the selector chooses.
func (s *Server) selectFor(ctx context.Context, r *encode.Request, selector registry.Selector) error {
	scope, err := s.narrow(ctx, query.Scope{License: r.License, Servers: r.Servers}, selector)
	r.Servers, r.Selected = scope.Servers, scope.Selected
	return err
}

// exportAsk is what was asked for, and what the cursor behind it needs.
type exportAsk struct {
	request encode.Request
	scope   cursorScope
	// selector chooses servers beside those of request.
	selector registry.Selector
	// open says that the range ends now because no end was given.
	open bool
}

// pending is the cursor behind the export, but for its moment, which is known when the export begins.
func (a *exportAsk) pending() cursor {
	c := cursor{scope: a.scope}
	if a.open {
		c.ahead = a.request.To
	}
	return c
}

// next is the cursor behind an export whose StoredBefore is known.
func (a *exportAsk) next(keys *auth.Keys) (string, error) {
	c := a.pending()
	c.since = a.request.StoredBefore
	return c.seal(keys)
}

// readExport reads what exports and export jobs have in common. What is wrong is noted in in.
func (s *Server) readExport(in *inputs, license uuid.UUID) *exportAsk {
	ask := &exportAsk{scope: scopeOf(license, in.values, s.known[exportPath])}
	span := query.Range{}
	if len(in.values["after"]) == 0 {
		span = in.timeRange()
		ask.open = in.one("to") == ""
	}
	in.zone()
	ask.request = encode.Request{
		License: license, Servers: in.servers(), From: span.From, To: span.To,
		Granularity: choice(in, "granularity", schema.Raw, schema.Hourly),
		Format:      choice(in, "format", encode.Formats()...),
	}
	ask.selector = in.selector()
	in.after(s.deps.Keys, ask.scope, &ask.request)
	return ask
}

// contentCoding is the best that the client takes, identity where it says nothing.
func contentCoding(c *fiber.Ctx) encode.Encoding {
	if c.Get(fiber.HeaderAcceptEncoding) == "" {
		return encode.Identity
	}
	switch coding := encode.Encoding(c.AcceptsEncodings("zstd", "gzip", "identity")); coding {
	case encode.Zstd, encode.Gzip:
		return coding
	}
	return encode.Identity
}

func setExportHeaders(c *fiber.Ctx, r encode.Request) {
	c.Set(fiber.HeaderContentType, r.Format.ContentType())
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+r.Filename()+`"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderVary, "Authorization, Accept-Encoding")
	if r.Encoding != encode.Identity {
		c.Set(fiber.HeaderContentEncoding, string(r.Encoding))
	}
}

// exportStream is the body of an answer: fasthttp reads it after the handler has returned. An error of Read, other than
// io.EOF, makes fasthttp close the connection without the last chunk, which every client sees as a fault.
type exportStream struct {
	stream  *encode.Stream
	server  *Server
	request encode.Request
	release func()
	// next is the cursor behind the export; empty for hours.
	next   string
	header *fasthttp.ResponseHeader
	conn   *conn
	ended  func(sent int, err error)

	sent int
	// whole says that the file has been read to its end, err why it has not.
	whole bool
	err   error
}

func (e *exportStream) whenEnded(f func(sent int, err error)) { e.ended = f }

func (e *exportStream) Read(p []byte) (int, error) {
	// What was gathered goes out before the engine is waited for.
	if e.conn != nil && !e.stream.Buffered() {
		if err := e.conn.flush(); err != nil {
			e.err = err
			return 0, err
		}
	}
	n, err := e.stream.Read(p)
	e.sent += n
	if err == io.EOF { //nolint:errorlint // only the bare io.EOF ends a whole file
		e.whole = true
		e.header.Set(rowCountTrailer, strconv.FormatUint(e.stream.Rows(), 10))
		if e.next != "" {
			e.header.Set(cursorTrailer, e.next)
		}
	}
	if err != nil && !e.whole {
		e.err = err
	}
	return n, err
}

// CloseWithError is called by fasthttp at the end, however it came; writeErr is what the client's side failed with.
func (e *exportStream) CloseWithError(writeErr error) error {
	err := errors.Join(writeErr, e.stream.Close())
	if e.conn != nil {
		err = errors.Join(err, e.conn.end())
	}
	e.release()
	m := e.server.metrics
	m.exports.Dec()
	err = errors.Join(err, e.err)
	if err == nil && !e.whole {
		err = context.Canceled
	}
	if err != nil {
		m.exportsBroken.Inc()
	} else {
		m.exportRows.WithLabelValues(string(e.request.Granularity), string(e.request.Format)).Add(float64(e.stream.Rows()))
	}
	if e.ended != nil {
		e.ended(e.sent, err)
	}
	return err
}

// exportSlots bounds the exports under way.
type exportSlots struct {
	most, mostPerLicense int

	mu      sync.Mutex // covers what follows
	total   int
	license map[uuid.UUID]int
}

func newExportSlots(cfg Config) *exportSlots {
	return &exportSlots{most: cfg.MaxExports, mostPerLicense: cfg.MaxLicenseExports, license: map[uuid.UUID]int{}}
}

// acquire takes a place or fails with errTooManyExports; release, which may be called more than once, gives it back.
func (x *exportSlots) acquire(license uuid.UUID) (release func(), err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.total >= x.most || x.license[license] >= x.mostPerLicense {
		return nil, errTooManyExports
	}
	x.total++
	x.license[license]++
	return sync.OnceFunc(func() { x.give(license) }), nil
}

func (x *exportSlots) give(license uuid.UUID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.total--
	if x.license[license]--; x.license[license] == 0 {
		delete(x.license, license)
	}
}
