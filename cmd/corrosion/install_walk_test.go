package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/deploy/local/localtest"
)

// stallingFront is where agents fetch files: it brings the first download to its middle and no further.
type stallingFront struct {
	*httptest.Server
	behind atomic.Pointer[string]
	files  atomic.Int32
}

func newStallingFront(t *testing.T) *stallingFront {
	f := &stallingFront{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

// ServeHTTP implements http.Handler.
func (f *stallingFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, *f.behind.Load()+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	if f.files.Add(1) > 1 {
		_, _ = io.Copy(w, response.Body)
		return
	}
	_, _ = io.CopyN(w, response.Body, response.ContentLength/2)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// toldInstallation is an event of a live stream.
type toldInstallation struct {
	ID       string `json:"installation_id"`
	Server   string `json:"server_id"`
	Module   string
	Status   string
	Progress int
	At       time.Time
}

// installations sends on what a live stream tells of installations, with the time of its arrival.
func (s *liveStream) installations() <-chan toldInstallation {
	told := make(chan toldInstallation, 100)
	go func() { // ends with the stream
		defer close(told)
		event := ""
		for {
			line, err := s.lines.ReadString('\n')
			if err != nil {
				return
			}
			if name, is := strings.CutPrefix(line, "event: "); is {
				event = strings.TrimSpace(name)
			}
			data, is := strings.CutPrefix(line, "data: ")
			var one toldInstallation
			if is && event == "installation" && json.Unmarshal([]byte(data), &one) == nil {
				if late := time.Since(one.At); late > 10*time.Second {
					s.t.Errorf("%s was told after %s", one.Status, late)
				}
				told <- one
			}
		}
	}()
	return told
}

// awaitStatus reads what is told until a status comes, and gives the statuses on the way.
func awaitStatus(t *testing.T, told <-chan toldInstallation, id, status string) (way []string) {
	t.Helper()
	limit := time.After(40 * time.Second)
	for {
		select {
		case one, more := <-told:
			if !more {
				t.Fatalf("the stream ended behind %v", way)
			}
			if one.ID != id || one.Server != "demo-01" || one.Module != "loot-manager" {
				t.Fatalf("told %+v", one)
			}
			if way = append(way, one.Status); one.Status == status {
				return way
			}
		case <-limit:
			t.Fatalf("no %s, only %v", status, way)
		}
	}
}

// The walk of docs/modules.md with the demo license: buy, start an agent, install, watch on two API processes, kill the
// agent in the middle of its download, start it again. The right file is there once.
func TestBuyInstallKillWatch(t *testing.T) {
	front := newStallingFront(t)
	p := startPlatform(t, "--demo", "--public-url", front.URL)
	front.behind.Store(&p.HTTP)
	other := p.startAPI(t, p.Postgres, "--public-url", front.URL)
	token := strings.TrimSpace(p.corrosion("token", "--license", account.DemoLicense, "--role", "owner"))
	_, stranger := p.license("Stranger")
	p.ask("POST", "/api/modules/loot-manager/purchase", token, nil, nil, 201)

	credentials, plugins := filepath.Join(t.TempDir(), "demo-01.json"), t.TempDir()
	p.corrosion("agent-user", "create", "--license", account.DemoLicense, "--server-id", "demo-01", "--out", credentials)
	agent := func() *child {
		return startChild(t, "agent", "--license", account.DemoLicense, "--server-id", "demo-01", "--plugins", plugins, "--credentials", credentials)
	}
	here, there := p.live(t, "/api/analytics/live", token), other.live(t, "/api/analytics/live?server_id=demo-01", token)
	elsewhere, public := p.live(t, "/api/analytics/live", stranger), p.live(t, "/api/public/demo/live", "")
	for _, s := range []*liveStream{here, there, elsewhere, public} {
		s.until("event: snapshot")
	}
	told, toldThere, toldOthers := here.installations(), there.installations(), []<-chan toldInstallation{elsewhere.installations(), public.installations()}

	first := agent()
	var made struct {
		ID string `json:"installation_id"`
	}
	p.ask("POST", "/api/modules/loot-manager/install", token, fields{"server_id": "demo-01"}, &made, 202)
	way := awaitStatus(t, told, made.ID, "downloading")
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		parts, _ := filepath.Glob(filepath.Join(plugins, ".corrosion", "part", "*"))
		for _, part := range parts {
			if info, err := os.Stat(part); err == nil && info.Size() > 0 {
				return nil
			}
		}
		return fmt.Errorf("nothing was downloaded: %v", parts)
	})
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(plugins, "LootManager.cs")); err == nil {
		t.Error("a half file is in place")
	}
	agent()
	way = append(way, awaitStatus(t, told, made.ID, "installed")...)
	// A listener is told what is true when it is told: what lasts for less than that may be left out.
	if got := strings.Join(way, " "); !strings.HasPrefix(got, "pending ") {
		t.Errorf("told %s", got)
	}
	awaitStatus(t, toldThere, made.ID, "installed")
	for _, quiet := range toldOthers {
		select {
		case one := <-quiet:
			t.Errorf("another's listener was told %+v", one)
		default:
		}
	}
	p.foundOnce(t, token, plugins, made.ID)
}

// foundOnce checks that the catalogue's file, and no other, lies in the directory, and that the API says so.
func (p *platform) foundOnce(t *testing.T, token, plugins, id string) {
	t.Helper()
	var shown struct {
		Status   string
		Attempt  int
		Progress int
	}
	p.ask("GET", "/api/modules/installations/"+uuid.MustParse(id).String(), token, nil, &shown, 200)
	if shown.Status != "installed" || shown.Attempt != 1 || shown.Progress != 100 {
		t.Errorf("shown %+v", shown)
	}
	text, err := os.ReadFile(filepath.Join(plugins, "LootManager.cs"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(plugins)
	if err != nil || len(entries) != 2 { // the file, and the agent's own .corrosion
		t.Errorf("%v %v", entries, err)
	}
	var module struct {
		Versions    []struct{ SHA256 string }
		InstalledOn []string `json:"installed_on"`
	}
	p.ask("GET", "/api/modules/loot-manager", token, nil, &module, 200)
	if sum := sha256.Sum256(text); len(module.Versions) != 1 || hex.EncodeToString(sum[:]) != module.Versions[0].SHA256 {
		t.Errorf("digest %x, want that of %+v", sum, module.Versions)
	}
	if len(module.InstalledOn) != 1 || module.InstalledOn[0] != "demo-01" {
		t.Errorf("installed_on %v", module.InstalledOn)
	}
}
