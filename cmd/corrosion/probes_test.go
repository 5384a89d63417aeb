package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
)

// An ingester and an aggregator alone say how they are, and show their figures.
func TestProbesOfRolesAlone(t *testing.T) {
	p := startPlatform(t)
	for role, metric := range map[string]string{"ingest": "corrosion_ingest_lag", "aggregate": "corrosion_aggregator_"} {
		t.Run(role, func(t *testing.T) {
			address := freeAddress(t)
			ctx, cancel := context.WithCancel(t.Context())
			var out lockedBuffer
			e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
			done := make(chan int, 1)
			go func() {
				done <- run(e, []string{role, "--data", p.data, "--probe-listen", address, "--nats-url", p.NATS,
					"--clickhouse-url", p.ClickHouseNative, "--postgres-url", p.Postgres})
			}()
			localtest.CheckFor(t, 30*time.Second, 50*time.Millisecond, func() error {
				for path, says := range map[string]string{"/livez": `"ok"`, "/readyz": `"ready"`, "/metrics": metric} {
					if err := probe(ctx, "http://"+address+path, says); err != nil {
						return err
					}
				}
				return nil
			})
			cancel()
			if code := <-done; code != 0 {
				t.Errorf("exit %d:\n%s", code, &out)
			}
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func probe(ctx context.Context, url, says string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), says) {
		return fmt.Errorf("%s: %d %.200s", url, response.StatusCode, body)
	}
	return nil
}
