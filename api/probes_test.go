package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestProbeHandler(t *testing.T) {
	var fault error
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "corrosion_probed_total", Help: "A counter."}))
	handler := ProbeHandler([]Readiness{func(context.Context) (string, error) { return "ingest", fault }}, registry, time.Second)
	f := func(path string, status int, mediaType, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), mediaType) || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d %s %s", path, w.Code, w.Header(), w.Body)
		}
	}
	f("/livez", 200, "application/json", `"status":"ok"`)
	f("/readyz", 200, "application/json", `"checks":["ingest"]`)
	f("/metrics", 200, "text/plain", "corrosion_probed_total 0")
	f("/api/analytics/summary", 404, "text/plain", "")

	fault = errors.New("samples wait for 90 s")
	f("/livez", 200, "application/json", `"status":"ok"`)
	f("/readyz", 503, problemType, fault.Error())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	var problem Problem
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Code != "not-ready" || len(problem.Errors) != 1 || problem.Errors[0].Location != "ingest" {
		t.Errorf("got %s, %v", w.Body, err)
	}
}
