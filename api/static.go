package api

import (
	"bytes"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/gzip"
)

// staticFiles is the built dashboard in memory.
type staticFiles struct {
	files  map[string]*staticFile
	policy string
}

type staticFile struct {
	name        string
	contentType string
	body        []byte
	tag         string
	// gzipped is nil where it would not be smaller.
	gzipped func() []byte
}

// hashedName is how Vite names what never changes under its name: index-BfT3x_2k.js.
var hashedName = regexp.MustCompile(`^assets/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$`)

const indexFile = "index.html"

// loadStatic reads all files; fsys may be nil.
func loadStatic(fsys fs.FS, policy string) (*staticFiles, error) {
	static := &staticFiles{files: map[string]*staticFile{}, policy: policy}
	if fsys == nil {
		return static, nil
	}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		static.files[name] = newStaticFile(name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dashboard: %w", err)
	}
	return static, nil
}

func newStaticFile(name string, body []byte) *staticFile {
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = fiber.MIMEOctetStream
	}
	file := &staticFile{name: name, contentType: contentType, body: body, tag: strongTag(body)}
	file.gzipped = sync.OnceValue(func() []byte { return gzipIfSmaller(contentType, body) })
	return file
}

func gzipIfSmaller(contentType string, body []byte) []byte {
	media, _, _ := strings.Cut(contentType, ";")
	if len(body) < 1024 || strings.HasPrefix(media, "image/") && media != "image/svg+xml" || strings.HasPrefix(media, "font/") {
		return nil
	}
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write(body); err != nil {
		return nil
	}
	if err := writer.Close(); err != nil || out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

// find is the file of a path; a path without an extension is a page of the dashboard's own router.
func (static *staticFiles) find(urlPath string) *staticFile {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		name = indexFile
	}
	if file := static.files[name]; file != nil {
		return file
	}
	if path.Ext(name) == "" {
		return static.files[indexFile]
	}
	return nil
}

// serveStatic comes last: whatever no route has matched and is not the API's is the dashboard's.
func (s *Server) serveStatic(c *fiber.Ctx) error {
	if c.Method() != fiber.MethodGet || c.Path() == "/api" || strings.HasPrefix(c.Path(), "/api/") {
		return c.Next()
	}
	file := s.static.find(c.Path())
	if file == nil {
		return c.Next()
	}
	stateOf(c).route = "static"
	file.setHeaders(c, s.static.policy)
	if matches(c.Get(fiber.HeaderIfNoneMatch), c.GetRespHeader(fiber.HeaderETag)) {
		c.Status(fiber.StatusNotModified)
		return nil
	}
	if c.GetRespHeader(fiber.HeaderContentEncoding) != "" {
		return c.Send(file.gzipped())
	}
	return c.Send(file.body)
}

func (file *staticFile) setHeaders(c *fiber.Ctx, policy string) {
	c.Set(fiber.HeaderContentType, file.contentType)
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderContentSecurityPolicy, policy)
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set(fiber.HeaderCacheControl, "no-cache")
	if hashedName.MatchString(file.name) {
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	}
	tag := file.tag
	if c.Get(fiber.HeaderAcceptEncoding) != "" && c.AcceptsEncodings("gzip") == "gzip" && file.gzipped() != nil {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		tag = strings.TrimSuffix(tag, `"`) + `-gzip"`
	}
	c.Set(fiber.HeaderETag, tag)
}
