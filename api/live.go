package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/live"
	"corrosion/api/query"
	"corrosion/schema"
)

const (
	livePath     = "/api/analytics/live"
	demoLivePath = "/api/public/demo/live"
	eventStream  = "text/event-stream"
)

// liveInput describes the parameters of a live stream for the OpenAPI document.
type liveInput struct {
	ServerID []string `query:"server_id,explode" doc:"Only these servers; repeatable. Default all."`
	Tag      []string `query:"tag,explode" doc:"Only servers with this tag, key:value; repeatable: values of one key are alternatives, different keys must all fit." example:"region:eu"`
	Group    []string `query:"group,explode" doc:"Only servers of this group; repeatable: any of them."`
	Follow   string   `query:"follow" enum:"true,false" default:"true" doc:"false ends the stream after the snapshot."`
}

// live streams the license of the token.
func (s *Server) live(c *fiber.Ctx) error {
	st := stateOf(c)
	license, err := st.license()
	if err != nil {
		return err
	}
	ask := live.Ask{License: license, Session: st.credential()}
	if key := st.identity.Key; key != nil { // installations are for those who may read them elsewhere
		ask.Measured = !key.Allows(auth.ReadModules)
	}
	return s.startLive(c, livePath, ask, st.identity.ExpiresAt)
}

// demoLive streams the demo license, whose id comes from the settings alone.
func (s *Server) demoLive(c *fiber.Ctx) error {
	if s.deps.Demo == nil {
		return errNotFound
	}
	return s.startLive(c, demoLivePath, live.Ask{License: *s.deps.Demo, Selection: live.Selection{Measured: true}}, time.Time{})
}

// startLive answers with a stream that ends at expires, or never.
func (s *Server) startLive(c *fiber.Ctx, path string, ask live.Ask, expires time.Time) error {
	st := stateOf(c)
	in := newInputs(st.values, s.known[path], s.deps.Now(), schema.Retention{})
	measured := ask.Measured
	ask.Selection = s.selection(in, ask.License)
	ask.Measured = measured
	follow := choice(in, "follow", "true", "false") == "true"
	if err := in.err(); err != nil {
		return err
	}
	if s.deps.Live == nil {
		return fmt.Errorf("%w: no NATS", errLiveAway)
	}
	setLiveHeaders(c)
	if c.Context().IsHead() {
		return nil
	}
	ask.Address, ask.LastID = st.address, c.Get("Last-Event-ID")
	listener, err := s.deps.Live.Join(c.UserContext(), ask)
	if err != nil {
		return liveError(err)
	}
	stream := &liveStream{
		listener: listener, heartbeat: s.cfg.LiveHeartbeat, stall: s.cfg.LiveStall, follow: follow, expires: expires,
		now: s.deps.Now, metrics: s.metrics, packed: c.AcceptsEncodings("gzip", "identity") == "gzip" && c.Get(fiber.HeaderAcceptEncoding) != "",
	}
	if stream.packed {
		c.Set(fiber.HeaderContentEncoding, "gzip")
	}
	s.hijack(c, stream)
	return nil
}

// hijack takes the connection from fasthttp once all middleware is through: its body writers gather, copy, and sleep in
// pieces of 4 KiB, which 500 listeners would pay for.
func (s *Server) hijack(c *fiber.Ctx, stream *liveStream) {
	ctx := c.Context()
	stateOf(c).stream = stream
	ctx.Response.Header.SetContentLength(-1) // chunked
	ctx.Response.Header.SetConnectionClose()
	stream.raw = !ctx.Request.Header.IsHTTP11()
	stream.head = func() []byte { return slices.Clone(ctx.Response.Header.Header()) }
	ctx.HijackSetNoResponse(true)
	s.streams.Add(1)
	var taken atomic.Bool
	if own := bulkConn(ctx); own != nil {
		// A connection that breaks at this very moment is never handed over.
		abandon := func() {
			if taken.CompareAndSwap(false, true) {
				stream.listener.Leave()
				s.streams.Done()
			}
		}
		own.onClose.Store(&abandon)
	}
	ctx.Hijack(func(hijacked net.Conn) {
		if !taken.CompareAndSwap(false, true) {
			return
		}
		defer s.streams.Done()
		stream.run(s.base, hijacked)
	})
}

// selection reads which servers are asked for. Tags and groups are looked up again as long as somebody listens.
func (s *Server) selection(in *inputs, license uuid.UUID) live.Selection {
	servers, selector := in.servers(), in.selector()
	key := url.Values{}
	for _, name := range []string{"server_id", "tag", "group"} {
		values := slices.Clone(in.values[name])
		slices.Sort(values)
		if values = slices.Compact(values); len(values) > 0 {
			key[name] = values
		}
	}
	if len(key) == 0 {
		return live.Selection{}
	}
	return live.Selection{Key: key.Encode(), Resolve: func(ctx context.Context) ([]string, error) {
		scope, err := s.narrow(ctx, query.Scope{License: license, Servers: slices.Clone(servers)}, selector)
		return scope.Servers, err
	}}
}

func setLiveHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentType, eventStream)
	c.Set(fiber.HeaderCacheControl, "no-store, no-transform")
	c.Set(fiber.HeaderVary, "Authorization, Accept-Encoding")
	c.Set("X-Accel-Buffering", "no") // nginx would keep events back
}

// liveError leaves to the table what a hub can fail with.
func liveError(err error) error {
	if errors.Is(err, context.Canceled) {
		return errShutdown
	}
	return err
}

// retryLine tells browsers how long to wait before they come back.
func retryLine(d time.Duration) []byte {
	return []byte("retry: " + strconv.FormatInt(d.Milliseconds(), 10) + "\n\n")
}
