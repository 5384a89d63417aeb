package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

const (
	calloutSubject = "$SYS.REQ.USER.AUTH"
	calloutQueue   = "corrosion-auth" // platform processes share the questions
	serverKeyField = "Nats-Server-Xkey"
)

// Callout answers the questions of NATS servers that are set up with the
// configuration of Keys.ServerConfig: may this client connect, and do what?
type Callout struct {
	config CalloutConfig
	deps   CalloutDeps
	signer nkeys.KeyPair
	box    nkeys.KeyPair
	ctx    context.Context //nolint:containedctx // ends the answers under way
	cancel context.CancelFunc
	slots  chan struct{} // one per answer under way
	sub    *nats.Subscription
	closed sync.Once

	mu      sync.Mutex
	waiting []question // the newest last
}

// question is one that nobody has begun to answer.
type question struct {
	m    *nats.Msg
	came time.Time
}

// CalloutDeps are what a Callout needs. Conn is the platform's connection,
// which the servers' auth_users name; Connections ends connections.
type CalloutDeps struct {
	Conn        *nats.Conn
	Keys        Keys
	Gate        *Gate
	Connections Connections
	Metrics     *Metrics
	Logger      *slog.Logger
}

// StartCallout answers until Close.
func StartCallout(config CalloutConfig, deps CalloutDeps) (*Callout, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Callout{config: config, deps: deps, slots: make(chan struct{}, config.Workers)}
	var err error
	if c.signer, err = nkeys.FromSeed([]byte(deps.Keys.IssuerSeed)); err != nil {
		return nil, errors.New("read callout keys: the issuer seed is none")
	}
	if c.box, err = nkeys.FromCurveSeed([]byte(deps.Keys.XKeySeed)); err != nil {
		return nil, errors.New("read callout keys: the xkey seed is none")
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if c.sub, err = deps.Conn.QueueSubscribe(calloutSubject, calloutQueue, c.take); err != nil {
		c.cancel()
		return nil, fmt.Errorf("answer NATS logins: %w", err)
	}
	return c, nil
}

// Close stops answering and waits for the answers under way; a second call
// does nothing.
func (c *Callout) Close() error {
	var err error
	c.closed.Do(func() {
		err = c.sub.Unsubscribe()
		c.cancel()
		for range cap(c.slots) { // with all slots taken nothing is under way, and nothing can begin
			c.slots <- struct{}{}
		}
	})
	if errors.Is(err, nats.ErrConnectionClosed) {
		return nil
	}
	return err
}

// take keeps a question and sees that somebody works.
func (c *Callout) take(m *nats.Msg) {
	c.mu.Lock()
	c.waiting = append(c.waiting, question{m, time.Now()})
	c.mu.Unlock()
	c.employ()
}

// employ starts a worker, unless all are at work already.
func (c *Callout) employ() {
	if c.ctx.Err() != nil {
		return
	}
	select {
	case c.slots <- struct{}{}:
		go c.work() // ends when nothing waits, or with Close
	default:
	}
}

func (c *Callout) work() {
	for m := c.newest(); m != nil; m = c.newest() {
		if err := c.answer(m); err != nil {
			c.deps.Metrics.lost.Add(1)
			c.deps.Logger.Warn("a NATS login could not be answered", "error", err)
			continue
		}
		c.deps.Metrics.answered.Add(1)
	}
	<-c.slots
	if c.busy() { // came after the last look, and found all at work
		c.employ()
	}
}

func (c *Callout) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0
}

// newest takes the question that came last: in a storm beyond our strength some logins are then in time, where first
// come, first served would answer every one too late. What has waited too long is left to the client's next try.
func (c *Callout) newest() *nats.Msg {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.waiting) - 1
	if last < 0 || c.ctx.Err() != nil {
		return nil
	}
	q := c.waiting[last]
	if time.Since(q.came) > c.config.Patience {
		c.deps.Metrics.lost.Add(int64(len(c.waiting)))
		c.waiting = nil // all others are older
		return nil
	}
	c.waiting[last] = question{}
	c.waiting = c.waiting[:last]
	return q.m
}

func (c *Callout) answer(m *nats.Msg) error {
	asked, err := c.read(m)
	if err != nil {
		return err
	}
	login := Login{User: asked.ConnectOptions.Username, Password: asked.ConnectOptions.Password, Address: asked.ClientInformation.Host}
	decision := c.deps.Gate.Decide(c.ctx, login)
	response := jwt.NewAuthorizationResponseClaims(asked.UserNkey)
	response.Audience = asked.Server.ID
	if decision.Verdict == Admitted {
		response.Jwt, err = c.claims(asked.UserNkey, decision)
	} else {
		response.Error = decision.Denied
	}
	if err != nil {
		return err
	}
	if decision.Verdict == Later {
		c.hangUp(asked)
	}
	return c.send(m, response)
}

// read decrypts a question and checks that a server has signed it for us.
func (c *Callout) read(m *nats.Msg) (*jwt.AuthorizationRequestClaims, error) {
	serverKey := m.Header.Get(serverKeyField)
	if serverKey == "" {
		return nil, errors.New("the question is not encrypted: set xkey as `corrosion nats config` prints it")
	}
	text, err := c.box.Open(m.Data, serverKey)
	if err != nil {
		return nil, fmt.Errorf("decrypt the question: %w", err)
	}
	asked, err := jwt.DecodeAuthorizationRequestClaims(string(text))
	if err != nil {
		return nil, fmt.Errorf("read the question: %w", err)
	}
	if !nkeys.IsValidPublicServerKey(asked.Issuer) || asked.Issuer != asked.Server.ID || asked.Server.XKey != serverKey {
		return nil, errors.New("the question is not signed by the server that it names")
	}
	if time.Now().Unix() > asked.Expires {
		return nil, errors.New("the server waits for the answer no longer")
	}
	return asked, nil
}

// claims are the rights of an admitted login, signed. They end before the
// password does, and early by up to a tenth, so that not all end together.
func (c *Callout) claims(user string, decision Decision) (string, error) {
	lifetime := c.config.Lifetime - time.Duration(rand.Int64N(int64(c.config.Lifetime)/10+1))
	ends := time.Now().Add(lifetime)
	if !decision.Until.IsZero() && decision.Until.Before(ends) {
		ends = decision.Until.Add(time.Second) // whole seconds count; the warden is there first
	}
	claims := jwt.NewUserClaims(user)
	claims.Name, claims.Audience, claims.Expires = decision.Name, c.deps.Keys.Account, ends.Unix()
	claims.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	claims.Pub.Allow.Add(decision.Rights.Publish...)
	claims.Sub.Allow.Add(decision.Rights.Subscribe...)
	if decision.Rights.Responses > 0 {
		claims.Resp = &jwt.ResponsePermission{MaxMsgs: decision.Rights.Responses, Expires: decision.Rights.ResponseFor}
	}
	text, err := claims.Encode(c.signer)
	if err != nil {
		return "", fmt.Errorf("sign rights: %w", err)
	}
	return text, nil
}

// hangUp ends a connection before its login is answered, so that the client
// sees no authorization error.
func (c *Callout) hangUp(asked *jwt.AuthorizationRequestClaims) {
	ctx, cancel := context.WithTimeout(c.ctx, c.config.KickLimit)
	defer cancel()
	connection := Connection{Server: asked.Server.ID, ID: asked.ClientInformation.ID}
	if err := c.deps.Connections.Kick(ctx, connection); err != nil {
		c.deps.Logger.Warn("a connection could not be ended; its client gets an authorization error", "error", err)
	}
}

func (c *Callout) send(m *nats.Msg, response *jwt.AuthorizationResponseClaims) error {
	text, err := response.Encode(c.signer)
	if err != nil {
		return fmt.Errorf("sign the answer: %w", err)
	}
	sealed, err := c.box.Seal([]byte(text), m.Header.Get(serverKeyField))
	if err != nil {
		return fmt.Errorf("encrypt the answer: %w", err)
	}
	if err := m.Respond(sealed); err != nil {
		return fmt.Errorf("send the answer: %w", err)
	}
	return nil
}
