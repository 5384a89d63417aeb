package chaos

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// startAggregator runs an aggregator, unless one runs already. It comes to ClickHouse by the ingesters' way, with its
// faults.
func (w *world) startAggregator() {
	if p := w.aggregator; p != nil {
		select {
		case <-p.exited:
			w.find("the aggregator ended by itself: %v", p.err)
		default:
			return
		}
	}
	p, err := w.launch("aggregator", "aggregate", "--clickhouse-url", via(w.t, w.clickhouse.URL(), w.toClickHouse), "--postgres-url", w.postgres, "--data", w.dir)
	if err != nil {
		w.t.Fatal("start aggregator:", err)
	}
	w.aggregator = p
}

func (w *world) killAggregator() {
	if w.aggregator != nil {
		_ = w.aggregator.cmd.Process.Kill()
		<-w.aggregator.exited
		w.aggregator = nil
	}
}

// restartAggregator kills the aggregator at any moment of its work; another one begins later.
func (d *driver) restartAggregator() func() {
	d.w.killAggregator()
	return d.w.startAggregator
}

// settleRollups stops the aggregator cleanly and has a last pass made by hand, over what changed since the last one.
func (w *world) settleRollups() (removed uint64, err error) {
	if w.aggregator != nil {
		_ = w.aggregator.cmd.Process.Signal(os.Interrupt)
		select {
		case <-w.aggregator.exited:
			if w.aggregator.err != nil {
				w.find("the aggregator stopped with %v, want exit 0", w.aggregator.err)
			}
		case <-time.After(stopLimit):
			w.find("the aggregator did not stop within %s", stopLimit)
		}
		w.killAggregator()
	}
	p, err := w.launch("aggregator", "jobs", "run", "verify", "--clickhouse-url", w.clickhouse.URL(), "--postgres-url", w.postgres, "--data", w.dir)
	if err != nil {
		return 0, fmt.Errorf("run the last pass: %w", err)
	}
	<-p.exited
	if p.err != nil {
		return 0, fmt.Errorf("run the last pass: %w", p.err)
	}
	pool, err := openPool(w.t.Context(), w.postgres)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	var good uint64
	err = pool.QueryRow(w.t.Context(), "SELECT coalesce(sum(rows_removed), 0)::bigint, count(*) FILTER (WHERE error = '') FROM job_runs").Scan(&removed, &good)
	if err == nil && good == 0 {
		err = errors.New("no run of a job ended well")
	}
	return removed, err
}
