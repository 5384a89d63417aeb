package installation_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/installation"
)

// catalogue is a shop with files on a server of the test's.
type catalogue struct {
	pool     *pgxpool.Pool
	files    *files
	mu       sync.Mutex
	owned    map[string]bool
	releases map[string]installation.Release
	latest   map[string]string
}

// publish adds a version that the license owns.
func (w *world) publish(module, version, text string, needs ...installation.Need) installation.Release {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), `INSERT INTO modules (slug, name, price, currency, publisher, category) VALUES ($1, $1, 0, 'USD', 'test', 'test') ON CONFLICT DO NOTHING`, module)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	r := installation.Release{Module: module, Version: version, File: strings.ToUpper(module[:1]) + module[1:] + ".cs", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Needs: needs}
	_, err = w.pool.Exec(w.t.Context(), `INSERT INTO module_versions (module, version, file, sha256, size, created_at) VALUES ($1, $2, $3, $4, $5, now())`, module, version, r.File, r.SHA256, r.Size)
	for _, need := range needs {
		if err == nil {
			_, err = w.pool.Exec(w.t.Context(), `INSERT INTO module_dependencies (module, version, depends_on, min_version) VALUES ($1, $2, $3, $4)`, module, version, need.Module, need.MinVersion)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.catalogue.mu.Lock()
	defer w.catalogue.mu.Unlock()
	w.owned[w.license.String()+module] = true
	w.releases[module+"@"+version], w.latest[module] = r, version
	w.files.put(module+"@"+version, text)
	return r
}

// Owned implements installation.Catalogue.
func (c *catalogue) Owned(_ context.Context, license uuid.UUID, module string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owned[license.String()+module], nil
}

// Release implements installation.Catalogue.
func (c *catalogue) Release(_ context.Context, module, version string) (installation.Release, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version == "" {
		version = c.latest[module]
	}
	r, ok := c.releases[module+"@"+version]
	if !ok {
		return r, installation.ErrNoModule
	}
	return r, nil
}

// Link implements installation.Catalogue.
func (c *catalogue) Link(_ context.Context, module, version string, _ time.Time) (string, error) {
	return c.files.url + "/" + module + "@" + version, nil
}

// files is a server of files that may misbehave.
type files struct {
	url string

	mu      sync.Mutex
	texts   map[string]string
	handler http.HandlerFunc // nil = serve
	held    chan struct{}    // downloads stop in their middle until it closes
	asked   int
}

func newFiles(t *testing.T) *files {
	f := &files{texts: map[string]string{}}
	server := httptest.NewServer(f)
	f.url = server.URL
	t.Cleanup(func() { f.release(); server.CloseClientConnections(); server.Close() })
	return f
}

func (f *files) put(name, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts[name] = text
}

// misbehave answers with handler; nil ends that.
func (f *files) misbehave(handler http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = handler
}

// hold stops downloads in their middle until release.
func (f *files) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
}

func (f *files) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != nil {
		close(f.held)
		f.held = nil
	}
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	text, known := f.texts[strings.TrimPrefix(r.URL.Path, "/")]
	handler, held := f.handler, f.held
	f.asked++
	f.mu.Unlock()
	switch {
	case handler != nil:
		handler(w, r)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case held != nil && r.Header.Get("Range") == "":
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = io.WriteString(w, text[:len(text)/2])
		w.(http.Flusher).Flush()
		select {
		case <-held:
			_, _ = io.WriteString(w, text[len(text)/2:])
		case <-r.Context().Done():
		}
	default:
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
}
