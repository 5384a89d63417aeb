package api

import (
	"bytes"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"

	"corrosion/api/encode"
)

// minCompressed is from how many bytes on an answer is compressed: smaller ones fit into one packet anyway.
const minCompressed = 1024

// zstdEncoder compresses whole answers; it is safe for concurrent use.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10))
})

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one of its own
	return w
}}

// compress codes JSON answers as the client likes. Answers to signing in are left alone: they hold secrets beside what
// was sent. Streams compress themselves.
func (s *Server) compress(c *fiber.Ctx) error {
	if err := c.Next(); err != nil {
		return err
	}
	response := c.Response()
	if response.IsBodyStream() || len(response.Header.Peek(fiber.HeaderContentEncoding)) > 0 || !compressible(response) || strings.HasPrefix(c.Path(), accountPrefix+"/") {
		return nil
	}
	c.Vary(fiber.HeaderAcceptEncoding)
	if len(response.Body()) < minCompressed {
		return nil
	}
	coding := string(contentCoding(c))
	if coding == string(encode.Identity) {
		return nil
	}
	coded, err := codeBody(coding, response.Body())
	if err != nil {
		return err
	}
	response.SetBodyRaw(coded)
	c.Set(fiber.HeaderContentEncoding, coding)
	if tag := c.GetRespHeader(fiber.HeaderETag); tag != "" { // another representation has another tag
		c.Set(fiber.HeaderETag, codedTag(tag, coding))
	}
	return nil
}

func compressible(response *fasthttp.Response) bool {
	kind := string(response.Header.ContentType())
	return strings.HasPrefix(kind, fiber.MIMEApplicationJSON) || strings.HasPrefix(kind, "application/openapi+json") || strings.HasPrefix(kind, problemType)
}

func codeBody(coding string, body []byte) ([]byte, error) {
	if coding == string(encode.Zstd) {
		encoder, err := zstdEncoder()
		if err != nil {
			return nil, err
		}
		return encoder.EncodeAll(body, make([]byte, 0, len(body)/3)), nil
	}
	writer := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(writer)
	var out bytes.Buffer
	writer.Reset(&out)
	if _, err := writer.Write(body); err != nil {
		return nil, err
	}
	err := writer.Close()
	return out.Bytes(), err
}

// codedTag names a coded representation: the coding is the tag's last part, which plainTag takes away.
func codedTag(tag, coding string) string { return strings.TrimSuffix(tag, `"`) + "." + coding + `"` }

func plainTag(tag string) string {
	for _, coding := range []string{"gzip", "zstd"} {
		if plain, coded := strings.CutSuffix(tag, "."+coding+`"`); coded {
			return plain + `"`
		}
	}
	return tag
}
