package api

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"corrosion/api/encode"
	"corrosion/api/exportjob"
)

// getExportFile sends a finished file, or the part of it that the header Range names.
func (s *Server) getExportFile(c *fiber.Ctx) error {
	license, id, err := s.jobOf(c)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Params("n"))
	if err != nil || strconv.Itoa(n) != c.Params("n") {
		return errNotFound
	}
	file, entry, err := s.deps.ExportJobs.OpenFile(c.UserContext(), license, id, n)
	if err != nil {
		return err
	}
	tag := setFileHeaders(c, entry)
	if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
		c.Status(fiber.StatusNotModified)
		return file.Close()
	}
	part, err := chooseRange(c, tag, entry.Bytes)
	if err != nil {
		c.Set(fiber.HeaderContentRange, "bytes */"+strconv.FormatInt(entry.Bytes, 10))
		_ = file.Close()
		return err
	}
	if part.partial {
		c.Status(fiber.StatusPartialContent)
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", part.from, part.from+part.size-1, entry.Bytes))
	}
	s.sendFile(c, file, part)
	return nil
}

func (s *Server) sendFile(c *fiber.Ctx, file *os.File, part byteRange) {
	body := &fileStream{file: file, reader: io.NewSectionReader(file, part.from, part.size), conn: bulkConn(c.Context())}
	if body.conn != nil {
		body.conn.begin()
	}
	stateOf(c).stream = body
	c.Context().SetBodyStream(body, int(part.size))
}

// setFileHeaders gives the file's ETag: its bytes never change under its digest.
func setFileHeaders(c *fiber.Ctx, entry exportjob.File) (tag string) {
	tag = `"` + entry.SHA256 + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	c.Set(fiber.HeaderContentType, fileType(entry.Name))
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+entry.Name+`"`)
	c.Set(fiber.HeaderCacheControl, "private, no-cache, no-transform")
	c.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
	if digest, err := hex.DecodeString(entry.SHA256); err == nil {
		c.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest)+":")
	}
	return tag
}

func fileType(name string) string {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return "application/gzip"
	case strings.HasSuffix(name, ".zst"):
		return "application/zstd"
	}
	for _, format := range encode.Formats() {
		if strings.HasSuffix(name, "."+string(format)) {
			return format.ContentType()
		}
	}
	return fiber.MIMEOctetStream
}

// byteRange is what is sent of a file.
type byteRange struct {
	from, size int64
	partial    bool
}

// chooseRange reads Range and If-Range. Several ranges, other units and what is not well formed are answered with the
// whole file, as RFC 9110 allows; a range behind the end is errRange.
func chooseRange(c *fiber.Ctx, tag string, size int64) (byteRange, error) {
	whole := byteRange{size: size}
	set, isBytes := strings.CutPrefix(c.Get(fiber.HeaderRange), "bytes=")
	if condition := c.Get(fiber.HeaderIfRange); !isBytes || condition != "" && condition != tag {
		return whole, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(set), "-")
	if !ok || first+last == "" || !digits(first) || !digits(last) {
		return whole, nil
	}
	from, to := int64(0), size-1
	if first == "" {
		suffix := number64(last)
		if suffix == 0 || size == 0 {
			return byteRange{}, errRange
		}
		return byteRange{from: max(0, size-suffix), size: min(suffix, size), partial: true}, nil
	}
	from = number64(first)
	if last != "" {
		if to = min(to, number64(last)); number64(last) < from {
			return whole, nil
		}
	}
	if from >= size {
		return byteRange{}, errRange
	}
	return byteRange{from: from, size: to - from + 1, partial: true}, nil
}

func digits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// number64 is the number that digits write, or the greatest there is.
func number64(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // out of range gives the greatest
	return n
}

// fileStream is a file on its way to a client.
type fileStream struct {
	file   *os.File
	reader *io.SectionReader
	conn   *conn
	sent   int
	err    error
	ended  func(sent int, err error)
}

func (f *fileStream) whenEnded(g func(sent int, err error)) { f.ended = g }

func (f *fileStream) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	f.sent += n
	if err != nil && err != io.EOF { //nolint:errorlint // io.SectionReader gives the bare io.EOF
		f.err = err
	}
	return n, err
}

// CloseWithError is called by fasthttp at the end, however it came.
func (f *fileStream) CloseWithError(writeErr error) error {
	err := f.file.Close()
	if f.conn != nil {
		if endErr := f.conn.end(); err == nil {
			err = endErr
		}
	}
	for _, other := range []error{f.err, writeErr} {
		if err == nil {
			err = other
		}
	}
	if f.ended != nil {
		f.ended(f.sent, err)
	}
	return err
}
