package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/schema"
	"corrosion/schema/pause"
)

// benchWorker is the hidden first argument that makes the test binary one measured process.
const benchWorker = "__bench"

// job is what a worker does. Its time runs from the first message (or row) to the last word of the server.
type job struct {
	// Do is "pull": take and acknowledge; "insert": store the same rows; "drain": the whole ingester; "serve": the
	// ingester until standard input ends.
	Do               string
	NATS, ClickHouse string
	Messages         int
	Per, Metrics     int
	Profile          string // file for a CPU profile; empty: none
	// Quota is the storming license's samples a second; 0: the default.
	Quota int64
}

// measured is the figures of one worker.
type measured struct {
	Start   float64 // seconds from the process's first step to the first message
	Seconds float64
	CPU     float64 // seconds, user and system, while the time ran
	Allocs  uint64  // while the time ran
	Peak    int     // bytes of memory at most; 0 where the system does not tell
}

// benchConfig is what operators get, with streams that hold any backlog.
func benchConfig(j job) Config {
	c := DefaultConfig()
	c.NATSURL, c.ClickHouseURL = j.NATS, j.ClickHouse
	c.Streams.MaxBytes = 16 << 30
	return c
}

// runBenchWorker does a job and prints its figures.
func runBenchWorker(raw string) {
	var j job
	w := &worker{begun: time.Now()}
	err := json.Unmarshal([]byte(raw), &j)
	if err == nil {
		err = map[string]func(job) error{"pull": w.pull, "insert": w.insert, "drain": w.drain, "serve": w.drain}[j.Do](j)
	}
	if err == nil {
		w.Peak = peakMemory()
		err = json.NewEncoder(os.Stdout).Encode(w.measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// worker measures one job.
type worker struct {
	measured
	begun, first time.Time
	cpu          time.Duration
	allocs       uint64
	profile      *os.File
}

// startClock is called at the first message.
func (w *worker) startClock(j job) error {
	if j.Profile != "" {
		var err error
		if w.profile, err = os.Create(j.Profile); err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(w.profile); err != nil {
			return err
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.allocs, w.cpu, w.first = m.Mallocs, ownCPU(), time.Now()
	w.Start = w.first.Sub(w.begun).Seconds()
	return nil
}

func (w *worker) stopClock() {
	w.Seconds, w.CPU = time.Since(w.first).Seconds(), (ownCPU() - w.cpu).Seconds()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.Allocs = m.Mallocs - w.allocs
	if w.profile != nil {
		pprof.StopCPUProfile()
		_ = w.profile.Close()
	}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the most bytes that the process held in memory.
func peakMemory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, _ := strconv.Atoi(string(kib))
	return n << 10
}

// pull takes the messages as the ingester does and acknowledges each at once.
func (w *worker) pull(j job) error {
	c := benchConfig(j)
	nc, err := Dial(c.NATSURL, slog.Default())
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	l, err := newLink(&c)
	if err != nil {
		return err
	}
	p := newPuller(nc, js, c, newStatus(&c, time.Now), slog.New(slog.DiscardHandler), &ledger{link: l, instance: uuid.NewString()})
	p.start()
	for n := range j.Messages {
		m := p.next()
		if n == 0 {
			if err := w.startClock(j); err != nil {
				return err
			}
		}
		if err := p.ack(&m.receipt); err != nil {
			return err
		}
	}
	if err := untilEmpty(js); err != nil {
		return err
	}
	w.stopClock()
	p.stop()
	p.abandon()
	return p.release(context.Background())
}

// insert stores the rows of the messages in batches as the ingester would make them; they are ready before the clock starts.
func (w *worker) insert(j job) error {
	c := benchConfig(j)
	i, err := newInserter(c, time.Now)
	if err != nil {
		return err
	}
	defer i.close()
	batches := insertBatches(c, newTraffic(j.Per, j.Metrics), j.Messages)
	ctx := context.Background()
	if err := i.connect(ctx); err != nil {
		return err
	}
	if err := w.startClock(j); err != nil {
		return err
	}
	for _, b := range batches {
		if err := i.insert(ctx, b); err != nil {
			return err
		}
	}
	w.stopClock()
	return nil
}

func insertBatches(c Config, l *traffic, messages int) []*batch {
	run, epoch, now := uuid.NewString(), uint64(time.Now().UnixNano()), time.Now().UnixMilli()
	var batches []*batch
	var s schema.Sample
	b := newBatch()
	keep := func() {
		b.id = fmt.Sprintf("%s-%d", run, len(batches))
		batches, b = append(batches, b), newBatch()
	}
	for m := range messages {
		for i := range l.per {
			l.sample(&s, m, i)
			s.Epoch, s.Seq, s.Idx, s.ReceivedAt = epoch, uint64(m+1), uint16(i), now
			b.Append(&s)
		}
		if b.Full(c.Batch) {
			keep()
		}
	}
	if b.rows > 0 {
		keep()
	}
	return batches
}

// drain is the ingester from its start until every message is stored and acknowledged, or until standard input ends.
func (w *worker) drain(j job) error {
	nc, err := nats.Connect(j.NATS)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	i, err := New(benchConfig(j), Deps{Licenses: stormLicenses{j.Quota}, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- i.Run(context.Background()) }()
	taken, stored := counting(i.metrics.messages), counting(i.metrics.samples)
	for taken() == 0 {
		pause.For(context.Background(), time.Millisecond)
	}
	if err := w.startClock(j); err != nil {
		return err
	}
	if j.Do == "serve" {
		_, _ = io.Copy(io.Discard, os.Stdin)
	} else {
		for stored() < float64(j.Messages*j.Per) {
			pause.For(context.Background(), 5*time.Millisecond) // looking costs some 50 µs
		}
		if err := untilEmpty(js); err != nil {
			return err
		}
	}
	w.stopClock()
	return errors.Join(i.Close(), <-ran)
}

// counting gives the value of a counter.
func counting(c prometheus.Counter) func() float64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	return func() float64 {
		families, err := registry.Gather()
		if err != nil || len(families) == 0 {
			return 0
		}
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}
}

// untilEmpty waits until JetStream has acted on every ack.
func untilEmpty(js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		n, err := streamed(ctx, js)
		if err != nil || n == 0 {
			return err
		}
		pause.For(ctx, time.Millisecond)
	}
}

// startWorker runs a job in a process of its own; stop ends a "serve", result waits and gives the figures.
func startWorker(t testing.TB, j job) (stop func(), result func() measured) {
	t.Helper()
	w := launchWorker(t, j)
	return w.stop, w.result
}

// launched is a worker in its process.
type launched struct {
	pid    int
	stop   func()
	result func() measured
}

func launchWorker(t testing.TB, j job) launched {
	t.Helper()
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], benchWorker, string(raw))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return launched{pid: cmd.Process.Pid, stop: func() { _ = stdin.Close() }, result: func() (m measured) {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s: %v", j.Do, err)
		}
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", j.Do, err)
		}
		return m
	}}
}

// next is the next message, words of partitions left out.
func (p *puller) next() message {
	for m := range p.messages() {
		if !m.word() {
			return m
		}
	}
	return message{}
}
