package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/schema/command"
	"corrosion/schema/connect"
)

// Agent does the commands of one server. New makes it, Run works until its context ends.
type Agent struct {
	config  Config
	log     *slog.Logger
	disk    *disk
	journal *journal
	client  *http.Client
	to      command.Recipient
	started time.Time

	conn     *nats.Conn
	incoming chan *nats.Msg
	back     chan struct{} // the connection has come up
	finished chan finish

	// Run's own goroutine alone touches these.
	running map[string]task // by module
	refused incident

	// telling keeps a heartbeat from saying what was before a status that is sent first.
	telling sync.Mutex

	mu     sync.Mutex // covers what follows
	fault  string     // what keeps the agent from working
	told   map[uuid.UUID]time.Time
	hashes map[string]hashed
}

// task is a command under way.
type task struct {
	command command.Command
	cancel  context.CancelCauseFunc
}

// finish is a task that ended.
type finish struct {
	module string
	retry  bool // it could not be written down
}

// Bounds of the connection.
const (
	pendingCommands = 256
	reconnectBytes  = 1 << 20
	flushLimit      = 2 * time.Second
	journalRetry    = 10 * time.Second
)

// New takes the plugin directory and begins to connect. It fails where the directory is not there or another agent has it.
func New(config Config) (*Agent, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Reached == nil {
		config.Reached = func(string) {}
	}
	disk, err := openDisk(config.Dir)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		config: config, log: config.Logger, disk: disk, client: newClient(config.Download.Window), started: config.Now(),
		to:       command.Recipient{License: config.License, Server: config.ServerID, Keys: config.Keys},
		incoming: make(chan *nats.Msg, pendingCommands), back: make(chan struct{}, 1), finished: make(chan finish),
		running: map[string]task{}, told: map[uuid.UUID]time.Time{}, hashes: map[string]hashed{},
	}
	a.refused = incident{log: a.log, what: "a command was refused", now: config.Now}
	if a.journal, err = openJournal(disk, config.License, config.ServerID); err == nil {
		err = a.connect()
	}
	if err != nil {
		return nil, errors.Join(err, disk.close())
	}
	return a, nil
}

// connect tries for ever: NATS may come later than the agent, and be away for long.
func (a *Agent) connect() (err error) {
	up := func(*nats.Conn) {
		select {
		case a.back <- struct{}{}:
		default:
		}
	}
	a.conn, err = connect.NATS(a.config.NATSURL, nats.UserInfo(a.config.User, a.config.Password),
		nats.Name("corrosion-agent "+a.config.ServerID), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(time.Second), nats.ReconnectJitter(time.Second, 2*time.Second),
		nats.ReconnectBufSize(reconnectBytes), nats.PingInterval(20*time.Second), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(up), nats.ReconnectHandler(up),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				a.log.Warn("NATS is away; trying again", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { a.log.Warn("NATS says", "error", err) }))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	if _, err = a.conn.ChanSubscribe(command.Subject(a.config.License, a.config.ServerID), a.incoming); err != nil {
		a.conn.Close()
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	return nil
}

// Run works until ctx ends: what is under way then is gone on with at the next start. It may be called once.
func (a *Agent) Run(ctx context.Context) error {
	defer func() {
		_ = a.conn.FlushTimeout(flushLimit) // statuses are said again anyway
		a.conn.Close()
		a.client.CloseIdleConnections()
	}()
	beat := time.NewTicker(a.config.Heartbeat)
	defer beat.Stop()
	again := time.NewTicker(journalRetry)
	defer again.Stop()
	a.tidy()
	a.begin(ctx)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case m := <-a.incoming:
			a.receive(m)
			a.begin(ctx)
		case done := <-a.finished:
			delete(a.running, done.module)
			a.tidy()
			if !done.retry { // else with the next tick
				a.begin(ctx)
			}
		case <-again.C:
			a.begin(ctx)
		case <-a.back:
			a.beat()
		case <-beat.C:
			a.beat()
		}
	}
	for len(a.running) > 0 {
		delete(a.running, (<-a.finished).module)
	}
	return a.disk.close()
}

// begin starts what waits, in order, one command a module at a time. A newer command for what is under way ends that.
func (a *Agent) begin(ctx context.Context) {
	passed := map[string]bool{}
	for _, c := range a.journal.waiting() {
		now, busy := a.running[c.Module]
		switch {
		case busy && now.command.ID == c.ID && (now.command.Attempt != c.Attempt):
			now.cancel(errSuperseded)
		case busy || passed[c.Module] || len(a.running) >= a.config.Parallel || ctx.Err() != nil:
		default:
			inner, cancel := context.WithCancelCause(ctx)
			a.running[c.Module] = task{c, cancel}
			go func() { // ends with the work; Run waits for it
				defer cancel(nil)
				a.finished <- finish{c.Module, a.do(inner, c)}
			}()
		}
		passed[c.Module] = true
	}
}

// do works and writes down how it ended; retry is true where that could not be written.
func (a *Agent) do(ctx context.Context, c command.Command) (retry bool) {
	log := a.log.With("installation", c.ID, "module", c.Module, "version", c.Version, "action", c.Action, "attempt", c.Attempt)
	log.Info("command begun")
	err := a.work(ctx, c)
	switch {
	case err == nil:
		log.Info("command done")
		return false
	case ctx.Err() != nil:
		log.Info("command interrupted", "why", context.Cause(ctx))
		return false
	case errors.Is(err, errSuperseded):
		return false
	}
	var why *failure
	if !errors.As(err, &why) {
		why = &failure{code: command.CodeDisk, text: err.Error()}
	}
	log.Warn("command failed", "error", why, "code", why.code)
	noted := a.note(c, func(j *job) {
		j.State, j.Error, j.Code = command.Failed, command.Clip(why.text, command.MaxError), why.code
	})
	a.blame(noted)
	return noted != nil
}

// receive takes a command that is ours and new into the journal and only then says that it has it.
func (a *Agent) receive(m *nats.Msg) {
	c, err := a.to.Open(m.Data, m.Header.Values(command.SignatureHeader), a.config.Now())
	if err != nil && !errors.Is(err, command.ErrExpired) {
		a.refused.report(err)
		answer(m, "+TERM refused")
		return
	}
	fresh, writeErr := a.journal.accept(c, a.config.Now())
	if writeErr != nil {
		a.blame(writeErr)
		answer(m, `-NAK {"delay": 10000000000}`)
		return
	}
	if fresh && err != nil {
		text := fmt.Sprintf("the command came too late: it expired at %s, and the agent's clock says %s",
			c.Expires.UTC().Format(time.RFC3339), a.config.Now().UTC().Format(time.RFC3339))
		a.blame(a.note(c, func(j *job) { j.State, j.Error, j.Code = command.Failed, text, command.CodeExpired }))
	}
	a.config.Reached("accepted")
	answer(m, "+ACK")
	if known, ok := a.journal.job(c.ID); ok && !fresh {
		a.log.Debug("a command came again", "installation", c.ID, "attempt", c.Attempt)
		a.say(known.report())
	}
}

// answer tells the stream; a message from elsewhere has nobody to answer.
func answer(m *nats.Msg, text string) {
	if m.Reply != "" {
		_ = m.Respond([]byte(text)) // what is not answered comes again
	}
}

// step notes that a command has come to a state and tells.
func (a *Agent) step(c command.Command, state command.State) error {
	return a.note(c, func(j *job) { j.State, j.Error, j.Code = state, "", "" })
}

func (a *Agent) note(c command.Command, do func(*job)) error {
	after, current, err := a.journal.step(c.ID, c.Attempt, a.config.Now(), do)
	switch {
	case err != nil:
		return err
	case !current:
		return errSuperseded
	}
	a.say(after.report())
	return nil
}

// settle ends a command together with what it made of the modules.
func (a *Agent) settle(c command.Command, state command.State, do func(*record)) error {
	a.telling.Lock()
	defer a.telling.Unlock()
	var after job
	err := a.journal.change(func(r *record) {
		do(r)
		if found := r.find(c.ID); found != nil && found.Command.Attempt == c.Attempt {
			found.State, found.Error, found.Code, found.At = state, "", "", a.config.Now()
			after = *found
		}
	})
	if err != nil {
		return err
	}
	a.blame(nil)
	a.config.Reached("settled")
	if after.Command.Attempt != 0 {
		a.say(after.report())
	}
	return nil
}

// sayEvery is how often a download says how far it is.
const sayEvery = 500 * time.Millisecond

func (a *Agent) progress(c command.Command, percent int) {
	after, current := a.journal.progress(c.ID, c.Attempt, percent)
	if !current {
		return
	}
	a.mu.Lock()
	due := time.Since(a.told[c.ID]) >= sayEvery
	if due {
		a.told[c.ID] = time.Now()
	}
	a.mu.Unlock()
	if due {
		after.At = a.config.Now()
		a.say(after.report())
	}
}

func (a *Agent) say(r command.Report) {
	if r.Status == "" {
		return
	}
	a.publish(command.Status{Schema: command.Schema, Report: r})
}

func (a *Agent) publish(what any) {
	text, err := json.Marshal(what)
	if err == nil {
		err = a.conn.Publish(command.StatusSubject(a.config.License, a.config.ServerID), text)
	}
	if err != nil {
		a.log.Debug("a status was not sent; the next heartbeat has it", "error", err)
	}
}

// blame notes what keeps the agent from working, for the heartbeat; nil: nothing does.
func (a *Agent) blame(err error) {
	if errors.Is(err, errSuperseded) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = ""
	if err != nil {
		a.fault = command.Clip(err.Error(), command.MaxError)
		a.log.Error("the agent cannot work as it should", "error", err)
	}
}

// tidy removes what nothing needs any more.
func (a *Agent) tidy() {
	parts, kept := a.journal.referred()
	for _, t := range a.running {
		parts[t.command.ID.String()] = true
	}
	if err := a.disk.tidy(parts, kept, a.config.Now(), a.config.Keep); err != nil {
		a.log.Warn("old files could not be removed", "error", err)
	}
	a.disk.reserve()
}
