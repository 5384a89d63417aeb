package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Health checks in images go by the exit code, and people by the reason.
func TestReadyCommand(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("clickhouse: does not answer"))
	}))
	defer server.Close()
	ask := func(url string) (int, string) {
		var out lockedBuffer
		e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
		return run(e, []string{"ready", url}), out.String()
	}
	if code, out := ask(server.URL + "/readyz"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	status = http.StatusServiceUnavailable
	if code, out := ask(server.URL + "/readyz"); code != 1 || !strings.Contains(out, "clickhouse: does not answer") {
		t.Errorf("exit %d: %s", code, out)
	}
	server.Close()
	if code, _ := ask(server.URL + "/readyz"); code != 1 {
		t.Errorf("nobody listens, and exit %d", code)
	}
}
