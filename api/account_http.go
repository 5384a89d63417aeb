package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/schema"
)

// refreshCookie holds the refresh token; it is sent to the account routes alone.
const refreshCookie = "corrosion_refresh"

// browser is what matters of a request's headers to whom a cookie belongs.
type browser struct {
	userAgent string
	// cookie is the refresh token that came along.
	cookie string
	// https tells that the browser speaks it, be it with a proxy before us.
	https bool
	// foreign tells that a page of another site has sent the request.
	foreign bool
}

// readBrowser reads the headers that account routes look at, and keeps what they answer out of caches.
func (s *Server) readBrowser(c *fiber.Ctx) error {
	st := stateOf(c)
	st.browser = browser{
		userAgent: c.Get(fiber.HeaderUserAgent), cookie: c.Cookies(refreshCookie), https: s.https(c), foreign: s.foreign(c),
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Next()
}

func (s *Server) https(c *fiber.Ctx) bool {
	if c.Context().IsTLS() || strings.HasPrefix(s.cfg.PublicURL, "https://") {
		return true
	}
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	return ok && s.trusted(peer.Unmap()) && c.Get(fiber.HeaderXForwardedProto) == "https"
}

// foreign goes by what the browser says of the page: Sec-Fetch-Site, else Origin. Neither = not a browser.
func (s *Server) foreign(c *fiber.Ctx) bool {
	if site := c.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return false
	}
	from, err := url.Parse(origin)
	if err != nil || from.Host == "" {
		return true
	}
	if own, err := url.Parse(s.cfg.PublicURL); err == nil && own.Host == from.Host {
		return false
	}
	return from.Host != string(c.Request().Header.Host())
}

// cookie writes the refresh token for the browser; an empty token makes it forget.
func (st *requestState) cookie(token string, expires time.Time) string {
	cookie := http.Cookie{
		Name: refreshCookie, Value: token, Path: accountPrefix, Expires: expires,
		HttpOnly: true, Secure: st.browser.https, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	return cookie.String()
}

func (st *requestState) origin() audit.Origin {
	return audit.Origin{Address: st.address, UserAgent: st.browser.userAgent, RequestID: st.id}
}

// requirePerson keeps out tokens of scripts and of sessions that have ended. What must be changed first comes first.
func (s *Server) requirePerson(c *fiber.Ctx) error {
	st := stateOf(c)
	if err := st.known(); err != nil {
		return err
	}
	id, ok := st.identity.Account()
	if !ok {
		return errAccountNeeded
	}
	if s.deps.Accounts == nil {
		return errNotFound
	}
	live, err := s.deps.Accounts.Live(c.UserContext(), id, st.identity.Session)
	if err != nil {
		return err
	}
	if !live {
		return account.ErrSessionEnded
	}
	if st.identity.MustChangePassword && c.Path() != passwordPath && c.Path() != mePath {
		return errPasswordChange
	}
	if st.published() && c.Method() != fiber.MethodGet && c.Path() != tokenPath {
		return errForbidden
	}
	return nil
}

// published tells the demo network's viewer, whose password everybody knows: it reads and changes nothing.
func (st *requestState) published() bool {
	return st.identity.License.String() == account.DemoLicense && st.identity.Role == auth.Viewer
}

// person is who asks on a route that requirePerson guards.
func (st *requestState) person() (account.Person, error) {
	if err := st.known(); err != nil {
		return account.Person{}, err
	}
	id, ok := st.identity.Account()
	if !ok {
		return account.Person{}, errAccountNeeded
	}
	return account.Person{Account: id, Session: st.identity.Session, License: st.identity.License, Origin: st.origin()}, nil
}

// maxAccountBody bounds the bodies of account routes, bytes: the longest password, escaped, and then some.
const maxAccountBody = 16 << 10

// registerAccount adds a JSON route that needs neither ClickHouse nor a license. Huma checks the body; what only we know
// of its fields is checked by their Resolve, so that all faults are listed together.
func registerAccount[I, O any](s *Server, op huma.Operation, handle func(context.Context, *requestState, *I) (*O, error)) {
	s.prepare(&op)
	if op.Tags == nil {
		op.Tags = []string{"Accounts"}
	}
	op.MaxBodyBytes = maxAccountBody
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		st := stateFrom(ctx)
		err := newInputs(st.values, s.known[knownKey(op.Method, op.Path)], s.deps.Now(), schema.Retention{}).err()
		var out *O
		if err == nil {
			out, err = handle(ctx, st, in)
		}
		if err != nil {
			st.err = err
			return nil, newProblem(err, st.id)
		}
		return out, nil
	})
	s.learn(op)
}

// fault is one fault of a body, for huma's list.
func fault(prefix *huma.PathBuffer, field string, cause error, value any) error {
	return &huma.ErrorDetail{Location: prefix.With(field), Message: cause.Error(), Value: value}
}

// bodyFault is a fault of a body that only the handler can find.
func bodyFault(field string, cause error) error {
	p := kindProblem("invalid-request")
	p.Errors = []ProblemError{{Location: "body." + field, Message: cause.Error()}}
	p.Detail = fmt.Sprintf("body.%s %s", field, cause)
	return p
}
