package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// WorkerConfig is the pace of the worker.
type WorkerConfig struct {
	// Poll is how often the outbox is looked at unasked.
	Poll time.Duration
	// Batch is how many mails are taken at once.
	Batch int
	// Lease is how long a mail is left to this worker before another may take it: longer than one delivery takes.
	Lease time.Duration
	// FirstRetry doubles with each try up to LongestRetry; a mail older than GiveUp is given up.
	FirstRetry, LongestRetry, GiveUp time.Duration
}

// DefaultWorkerConfig tries for three days, as mail servers do.
func DefaultWorkerConfig() WorkerConfig {
	return WorkerConfig{
		Poll: 5 * time.Second, Batch: 10, Lease: 10 * time.Minute,
		FirstRetry: 15 * time.Second, LongestRetry: time.Hour, GiveUp: 72 * time.Hour,
	}
}

// Validate names every setting that makes no sense.
func (c WorkerConfig) Validate() error {
	var faults []error
	for name, d := range map[string]time.Duration{"Poll": c.Poll, "Lease": c.Lease, "FirstRetry": c.FirstRetry, "LongestRetry": c.LongestRetry, "GiveUp": c.GiveUp} {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("mail: %s must be positive", name))
		}
	}
	if c.Batch < 1 {
		faults = append(faults, errors.New("mail: Batch must be at least 1"))
	}
	return errors.Join(faults...)
}

// WorkerDeps are what the worker works with; all are required but Now.
type WorkerDeps struct {
	Store      *store.Store
	Sender     Sender
	Renderers  map[string]Renderer
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time
}

// Worker sends what is in the outbox. Several may work on one: each mail is taken by one of them at a time.
type Worker struct {
	cfg    WorkerConfig
	deps   WorkerDeps
	wake   chan struct{}
	counts *prometheus.CounterVec

	stop context.CancelFunc
	done sync.WaitGroup
}

// NewWorker makes a worker that does not run yet.
func NewWorker(cfg WorkerConfig, deps WorkerDeps) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	w := &Worker{cfg: cfg, deps: deps, wake: make(chan struct{}, 1), counts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "corrosion_mail_total", Help: "Tries to send a mail, by what became of them.",
	}, []string{"result"})}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "corrosion_mail_waiting", Help: "Mails in the outbox that are still to be sent; -1 = the outbox does not answer.",
	}, w.waiting)
	if err := errors.Join(deps.Registerer.Register(w.counts), deps.Registerer.Register(waiting)); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return w, nil
}

func (w *Worker) waiting() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := w.deps.Store.Queries().CountWaitingMail(ctx)
	if err != nil {
		return -1
	}
	return float64(n)
}

// Open starts the worker; Close ends it.
func (w *Worker) Open() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.done.Go(func() { w.run(ctx) })
}

// Close stops the worker and waits for it. A mail that was being sent may be sent again by the next worker.
func (w *Worker) Close() {
	w.stop()
	w.done.Wait()
}

// Wake has the worker look into the outbox at once.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Worker) run(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Poll)
	defer tick.Stop()
	faulty := 0
	for {
		n, err := w.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if faulty++; faulty == 1 {
				w.deps.Logger.Error("the mail outbox cannot be read; trying again", "every", w.cfg.Poll, "error", err)
			}
		case faulty > 0:
			w.deps.Logger.Info("the mail outbox can be read again", "after_faults", faulty)
			faulty = 0
		}
		if err == nil && n == w.cfg.Batch {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.wake:
		}
	}
}

// once takes one batch and sends it; it returns how many mails it took.
func (w *Worker) once(ctx context.Context) (int, error) {
	now := w.deps.Now()
	rows, err := w.deps.Store.Queries().ClaimMail(ctx, pg.ClaimMailParams{RetryAt: now.Add(w.cfg.Lease), Now: now, Most: int32(w.cfg.Batch)})
	if err != nil {
		return 0, fmt.Errorf("take mail from the outbox: %w", err)
	}
	for _, row := range rows {
		item := Item{ID: row.ID, Kind: row.Kind, To: row.Recipient, Data: row.Data, CreatedAt: row.CreatedAt}
		result := w.deliver(ctx, item)
		if err := w.settle(ctx, item, int(row.Attempts), result); err != nil {
			return len(rows), err
		}
	}
	return len(rows), nil
}

// maxError bounds what the outbox keeps of a fault, runes.
const maxError = 500

var errUnknownKind = errors.New("nothing renders this kind of mail")

// deliver makes the message and sends it.
func (w *Worker) deliver(ctx context.Context, item Item) error {
	render := w.deps.Renderers[item.Kind]
	if render == nil {
		return errUnknownKind
	}
	var message *Message
	err := w.deps.Store.Tx(ctx, func(q *pg.Queries) (err error) {
		message, err = render(ctx, q, item)
		return err
	})
	if err != nil {
		return fmt.Errorf("render mail: %w", err)
	}
	if message == nil {
		return nil
	}
	return w.deps.Sender.Send(ctx, item.ID.String(), *message)
}

// settle notes what became of a try.
func (w *Worker) settle(ctx context.Context, item Item, attempts int, result error) error {
	q, now := w.deps.Store.Queries(), w.deps.Now()
	if ctx.Err() != nil {
		return ctx.Err() // the lease runs out and another worker takes it
	}
	var refused *RefusedError
	switch {
	case result == nil:
		w.counts.WithLabelValues("sent").Inc()
		return q.MailSent(ctx, pg.MailSentParams{Now: now, ID: item.ID})
	case errors.As(result, &refused) || errors.Is(result, errUnknownKind) || now.Sub(item.CreatedAt) > w.cfg.GiveUp:
		w.counts.WithLabelValues("given-up").Inc()
		w.deps.Logger.Error("a mail is given up", "mail", item.ID, "kind", item.Kind, "tries", attempts, "error", clip(result))
		return q.MailFailed(ctx, pg.MailFailedParams{Now: now, ID: item.ID, LastError: clip(result)})
	default:
		w.counts.WithLabelValues("delayed").Inc()
		retry := w.backoff(attempts)
		w.deps.Logger.Warn("a mail could not be sent; it will be tried again", "mail", item.ID, "kind", item.Kind, "tries", attempts, "in", retry)
		return q.MailDelayed(ctx, pg.MailDelayedParams{RetryAt: now.Add(retry), ID: item.ID, LastError: clip(result)})
	}
}

// backoff doubles with each try, with a tenth of jitter.
func (w *Worker) backoff(attempts int) time.Duration {
	wait := w.cfg.FirstRetry
	for i := 1; i < attempts && wait < w.cfg.LongestRetry; i++ {
		wait *= 2
	}
	wait = min(wait, w.cfg.LongestRetry)
	return wait + rand.N(wait/10+1)
}

// clip makes an error's text fit its column.
func clip(err error) string { return audit.Clip(err.Error(), maxError) }
