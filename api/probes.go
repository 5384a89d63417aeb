package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ProbeHandler answers /livez, /readyz and /metrics as the API does, for a process that runs no API: an ingester or an
// aggregator alone. The checks of /readyz run at once and get timeout together.
func ProbeHandler(readiness []Readiness, gatherer prometheus.Gatherer, timeout time.Duration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeProbe(w, http.StatusOK, Health{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		names, faults := checkReadiness(ctx, readiness)
		if len(faults) > 0 {
			problem := newProblem(&notReadyError{faults: faults}, "")
			w.Header().Set("Content-Type", problemType)
			writeProbe(w, problem.Status, problem)
			return
		}
		writeProbe(w, http.StatusOK, Health{Status: "ready", Checks: names})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

func writeProbe(w http.ResponseWriter, status int, body any) {
	header := w.Header()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a prober that went away needs no answer
}
