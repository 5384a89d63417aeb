package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// asProgram makes the test binary be the program itself, for tests that kill it.
const asProgram = "CORROSION_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if os.Getenv(endsWithStdin) != "" {
			go dieWithStdin()
		}
		main()
	}
	// fasthttp keeps a goroutine for its Date header, and one a server sleeps up to ten seconds before it sees the end.
	localtest.Main(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// platform is the program under test: the same run that main calls, on ports of its own.
type platform struct {
	t    testing.TB
	data string
	local.Endpoints
	log  *lockedBuffer
	stop context.CancelFunc
	done chan int
}

// lockedBuffer is a buffer that a running program may write while the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startPlatform serves on a data directory of its own, with nothing in its tables, and waits until it is ready.
func startPlatform(t testing.TB, flags ...string) *platform {
	t.Helper()
	return startPlatformOn(t, migratedData(t), flags...)
}

// migratedData copies a data directory that was served once. To make and migrate stores takes longer than most tests.
func migratedData(t testing.TB) string {
	t.Helper()
	served := localtest.SharedDir(t, "served")
	if _, err := os.Stat(served); errors.Is(err, os.ErrNotExist) {
		startPlatformOn(t, served).Stop()
	}
	data := filepath.Join(t.TempDir(), "data")
	// Owners and modes must stay: under root, PostgreSQL runs as somebody else.
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", served, data).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", served, err, out)
	}
	return data
}

func startPlatformOn(t testing.TB, data string, flags ...string) *platform {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &platform{t: t, data: data, log: &lockedBuffer{}, stop: cancel, done: make(chan int, 1)}
	e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: p.log, stderr: p.log, hurry: make(chan struct{})}
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)
	go func() { p.done <- run(e, args) }()
	t.Cleanup(p.Stop)
	localtest.CheckFor(t, 60*time.Second, 20*time.Millisecond, func() error {
		select {
		case code := <-p.done:
			p.done <- code
			t.Fatalf("serve ended with %d:\n%s", code, p.log)
		default:
		}
		endpoints, err := local.ReadEndpoints(data)
		if err != nil {
			return err
		}
		if endpoints.HTTP == "" {
			return errors.New("no http endpoint yet")
		}
		p.Endpoints = endpoints
		return nil
	})
	return p
}

// Stop ends the program and fails the test unless it exits with 0.
func (p *platform) Stop() {
	p.stop()
	select {
	case code := <-p.done:
		p.done <- code
		if code != 0 {
			p.t.Errorf("serve exited with %d:\n%s", code, p.log)
		}
	case <-time.After(60 * time.Second):
		p.t.Errorf("serve did not stop:\n%s", p.log)
	}
}

// corrosion runs another command on the platform's data directory and returns what it printed.
func (p *platform) corrosion(args ...string) string {
	p.t.Helper()
	code, out, stderr := p.try(args...)
	if code != 0 {
		p.t.Fatalf("corrosion %s: exit %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	return out
}

func (p *platform) try(args ...string) (code int, stdout, stderr string) {
	var out, errs lockedBuffer
	e := &env{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, hurry: make(chan struct{})}
	command := 1
	switch args[0] {
	case "license", "admin", "dead", "agent-user", "nats", "jobs", "retention", "keys":
		command = 2
	}
	args = append(args[:command:command], append([]string{"--data", p.data}, args[command:]...)...)
	code = run(e, args)
	return code, out.String(), errs.String()
}

// license creates a license and a viewer's token for it.
func (p *platform) license(name string) (id, token string) {
	p.t.Helper()
	var created struct {
		LicenseID string `json:"license_id"`
	}
	if err := json.Unmarshal([]byte(p.corrosion("license", "create", "--name", name)), &created); err != nil {
		p.t.Fatal(err)
	}
	return created.LicenseID, strings.TrimSpace(p.corrosion("token", "--license", created.LicenseID))
}

// get asks the API and decodes a 200 into out; other statuses are returned with the body's text.
func (p *platform) get(token, path string, query url.Values, out any) (status int, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.HTTP+path+"?"+query.Encode(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			p.t.Fatalf("GET %s: %v in %s", path, err, raw)
		}
	}
	return response.StatusCode, string(raw)
}

// sharedData is the folder of recorded data beside the repository; tests that need it are skipped where it is absent.
func sharedData(t testing.TB) string {
	t.Helper()
	const dir = "../../../shared/data"
	if _, err := os.Stat(dir + "/truth.json"); err != nil {
		t.Skip("the recorded data is not on this machine")
	}
	return dir
}
