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

	"corrosion/api/encode"
	"corrosion/schema"
)

const (
	exportPath      = "/api/analytics/export"
	rowCountTrailer = "X-Row-Count"
)

// exportInput describes the parameters of an export for the OpenAPI document.
type exportInput struct {
	AnalyticsInput
	Granularity string `query:"granularity" enum:"raw,hourly" default:"raw" doc:"Every sample, or one row a server and hour."`
	Format      string `query:"format" enum:"csv,ndjson,parquet" default:"csv" doc:"The kind of file."`
}

// export streams a file. Until its first bytes are there every fault is a problem answer; after that a fault breaks the
// connection.
func (s *Server) export(c *fiber.Ctx) error {
	request, err := s.exportRequest(c)
	if err != nil {
		return err
	}
	if c.Context().IsHead() {
		setExportHeaders(c, request)
		return nil
	}
	release, err := s.exports.acquire(request.License)
	if err != nil {
		return err
	}
	// Not the request's own context: that ends with this handler.
	stream, err := s.deps.Exporter.Export(s.base, request)
	if err != nil {
		release()
		return err
	}
	s.metrics.exports.Inc()
	setExportHeaders(c, request)
	// Fails for headers that a trailer must not be; this one may.
	_ = c.Context().Response.Header.SetTrailer(rowCountTrailer)
	s.sendExport(c, &exportStream{
		stream: stream, server: s, request: request, release: release,
		header: &c.Context().Response.Header, conn: bulkConn(c.Context()),
	})
	return nil
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

func (s *Server) exportRequest(c *fiber.Ctx) (encode.Request, error) {
	st := stateOf(c)
	license, err := st.license()
	if err != nil {
		return encode.Request{}, err
	}
	retention, err := s.deps.Queries.Retention(c.UserContext())
	if err != nil {
		return encode.Request{}, err
	}
	in := newInputs(st.values, s.known[exportPath], s.deps.Now(), retention)
	span := in.timeRange()
	in.zone()
	request := encode.Request{
		License: license, Servers: in.servers(), From: span.From, To: span.To,
		Granularity: choice(in, "granularity", schema.Raw, schema.Hourly),
		Format:      choice(in, "format", encode.Formats()...),
	}
	if request.Format.Compressible() {
		request.Encoding = contentCoding(c)
	}
	return request, in.err()
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
	header  *fasthttp.ResponseHeader
	conn    *conn
	onClose func(sent int, err error)

	sent int
	// whole says that the file has been read to its end, err why it has not.
	whole bool
	err   error
}

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
	if e.onClose != nil {
		e.onClose(e.sent, err)
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
