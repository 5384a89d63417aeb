package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/account"
	"corrosion/api/archive"
	"corrosion/api/auth"
	"corrosion/schema"
)

func (s *Server) describeArchive() {
	describe[struct{}](s, huma.Operation{
		OperationID: "archiveLicense", Method: http.MethodGet, Path: archivePath, Tags: []string{"Licenses"}, Security: private(), Summary: "Take everything of the license away",
		Description: "For owners. A ZIP file of newline-delimited JSON: every row of PostgreSQL but for digests of secrets, every sample, the hours, marks and " +
			"counts of ClickHouse, and last a manifest.json with the rows, bytes and SHA-256 of each file. A fault in mid-stream breaks the connection, " +
			"and a file without its end cannot be opened.",
		Responses: map[string]*huma.Response{"200": {Description: "The archive", Content: map[string]*huma.MediaType{
			"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
	})
}

// archive streams all of the license.
func (s *Server) archive(c *fiber.Ctx) error {
	st := stateOf(c)
	who, err := s.livePerson(c.UserContext(), st)
	if err != nil {
		return err
	}
	if who.License, err = st.license(); err != nil {
		return err
	}
	if err := newInputs(st.values, s.known[archivePath], s.deps.Now(), schema.Retention{}).err(); err != nil {
		return err
	}
	if s.deps.Archives == nil {
		return errErasureAway
	}
	if c.Context().IsHead() {
		return s.headArchive(c, who)
	}
	release, err := s.exports.acquire(who.License)
	if err != nil {
		return err
	}
	if err := s.deps.Accounts.NoteArchive(c.UserContext(), who); err != nil {
		release()
		return err
	}
	s.setArchiveHeaders(c, who)
	stream := newArchiveStream(s, who, release)
	st.stream = stream
	c.Context().SetBodyStream(stream, -1)
	return nil
}

// headArchive answers whether there would be one.
func (s *Server) headArchive(c *fiber.Ctx, who account.Person) error {
	role, err := s.deps.Accounts.Role(c.UserContext(), who)
	if err == nil && !role.AtLeast(auth.Owner) {
		err = account.ErrNoRight
	}
	if err == nil {
		s.setArchiveHeaders(c, who)
	}
	return err
}

func (s *Server) setArchiveHeaders(c *fiber.Ctx, who account.Person) {
	c.Set(fiber.HeaderContentType, "application/zip")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+archive.Name(who.License, s.deps.Now())+`"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
}

// archiveStream is the body of an answer: fasthttp reads it after the handler has returned, and breaks the connection
// where Read fails.
type archiveStream struct {
	from    *io.PipeReader
	cancel  context.CancelFunc
	written chan struct{}
	release func()
	ended   func(sent int, err error)

	sent  int
	whole bool
	err   error
}

// newArchiveStream begins to write; its goroutine ends with the archive, or once nobody reads it any more.
func newArchiveStream(s *Server, who account.Person, release func()) *archiveStream {
	ctx, cancel := context.WithCancel(s.base) // not the request's: that ends with its handler
	from, to := io.Pipe()
	stream := &archiveStream{from: from, cancel: cancel, written: make(chan struct{}), release: release}
	s.streams.Go(func() {
		defer close(stream.written)
		_ = to.CloseWithError(s.deps.Archives.Write(ctx, who.License, to)) // never fails; nil is the end
	})
	return stream
}

func (a *archiveStream) whenEnded(f func(sent int, err error)) { a.ended = f }

func (a *archiveStream) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	a.sent += n
	if err == io.EOF { //nolint:errorlint // only the bare io.EOF ends a whole file
		a.whole = true
	} else if err != nil {
		a.err = err
	}
	return n, err
}

// CloseWithError is called by fasthttp at the end, however it came.
func (a *archiveStream) CloseWithError(writeErr error) error {
	a.cancel()
	_ = a.from.Close() // never fails
	<-a.written
	a.release()
	err := errors.Join(writeErr, a.err)
	if err == nil && !a.whole {
		err = context.Canceled
	}
	if a.ended != nil {
		a.ended(a.sent, err)
	}
	return err
}
