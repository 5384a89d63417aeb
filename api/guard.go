package api

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"corrosion/api/auth"
)

// headAsGet answers HEAD like GET; fasthttp leaves the body out.
func (s *Server) headAsGet(c *fiber.Ctx) error {
	if c.Method() != fiber.MethodHead {
		return c.Next()
	}
	c.Method(fiber.MethodGet)
	return c.RestartRouting()
}

// guard refuses URLs that do not parse, which huma would stumble over, reads the query, and bounds the time of the work.
func (s *Server) guard(c *fiber.Ctx) error {
	st := stateOf(c)
	target, err := url.ParseRequestURI(string(c.Request().RequestURI()))
	if err != nil {
		return fmt.Errorf("%w: URL", errMalformed)
	}
	if st.values, err = url.ParseQuery(target.RawQuery); err != nil {
		return fmt.Errorf("%w: query", errMalformed)
	}
	ctx, cancel := context.WithTimeout(s.base, s.cfg.RequestTimeout)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// identify reads the token where one was sent. What is wrong with it matters only where one is needed.
func (s *Server) identify(c *fiber.Ctx) error {
	st := stateOf(c)
	header := c.Get(fiber.HeaderAuthorization)
	scheme, token, _ := strings.Cut(header, " ")
	if header == "" || !strings.EqualFold(scheme, "Bearer") {
		return c.Next()
	}
	identity, err := s.verify(c.UserContext(), strings.TrimSpace(token))
	if err != nil {
		st.tokenErr = err
		return c.Next()
	}
	st.identity = &identity
	return c.Next()
}

// verify reads a token, or looks an API key up.
func (s *Server) verify(ctx context.Context, token string) (auth.Identity, error) {
	if s.deps.Accounts != nil && strings.HasPrefix(token, string(auth.APIKey)) {
		return s.deps.Accounts.UseKey(ctx, token)
	}
	return s.deps.Keys.Verify(token, s.deps.Now())
}

// access says who may use a path.
type access int

// The kinds of access.
const (
	// byLicense needs a token of a license in good standing.
	byLicense access = iota
	// byAnybody needs no token.
	byAnybody
	// byPerson needs a person whose session is live, with or without a license.
	byPerson
	// byPlatformAdmin needs a person who administers the platform.
	byPlatformAdmin
)

// accessOf is the table of who may use what below /api/, whether it exists or not.
func accessOf(path string) access {
	switch path {
	case registerPath, confirmPath, loginPath, refreshPath, logoutPath, resetPath, resetConfirmPath,
		acceptPath, invitedPath:
		return byAnybody
	}
	switch {
	case strings.HasPrefix(path, openAPIPath), strings.HasPrefix(path, docsPath), strings.HasPrefix(path, "/api/public/"), earlyPublic(path):
		return byAnybody
	case strings.HasPrefix(path, accountPrefix), strings.HasPrefix(path, licensesPath):
		return byPerson
	case strings.HasPrefix(path, "/api/admin/"):
		return byPlatformAdmin
	}
	return byLicense
}

// neededScope is the table of what an API key needs for what; "" is for no key at all. Paths are as they are asked for, or
// templates.
func neededScope(method, path string) auth.Scope {
	read := method == fiber.MethodGet
	switch {
	case strings.HasPrefix(path, exportPath): // exports and export jobs
		return auth.Export
	case strings.HasPrefix(path, "/api/analytics/") && read:
		return auth.ReadAnalytics
	case strings.HasPrefix(path, serversPath):
		return auth.WriteServers
	case strings.HasPrefix(path, eventsPath):
		return auth.WriteEvents
	case (path == licensePath || path == quotasPath) && read:
		return auth.ReadLicense
	case strings.HasPrefix(path, "/api/modules") && read:
		return auth.ReadModules
	case strings.HasPrefix(path, "/api/modules/installations"), strings.HasPrefix(path, "/api/modules/") && (strings.HasSuffix(path, "/install") || strings.Contains(path, "/rollouts")):
		return auth.Install
	}
	return ""
}

// requireToken keeps out who has no valid token of the kind that the path needs.
func (s *Server) requireToken(c *fiber.Ctx) error {
	var err error
	switch accessOf(c.Path()) {
	case byAnybody:
	case byPerson:
		err = s.requirePerson(c)
	case byPlatformAdmin:
		if err = s.requirePerson(c); err == nil && !stateOf(c).identity.PlatformAdmin {
			err = errForbidden
		}
	default:
		err = s.requireLicense(c)
	}
	if err != nil {
		return err
	}
	return c.Next()
}

func (s *Server) requireLicense(c *fiber.Ctx) error {
	st := stateOf(c)
	license, err := st.license()
	if err != nil {
		return err
	}
	if st.identity.MustChangePassword {
		return errPasswordChange
	}
	if key := st.identity.Key; key != nil && !key.Allows(neededScope(c.Method(), c.Path())) {
		return errScope
	}
	status, err := s.deps.Licenses.Status(c.UserContext(), license)
	if err != nil {
		return fmt.Errorf("look up license: %w", err)
	}
	switch status {
	case LicenseActive:
		return nil
	case LicenseSuspended:
		return errLicenseSuspended
	default:
		return errLicenseUnknown
	}
}

// clientAddress is the peer, or, behind trusted proxies, the last address that none of them added itself.
func (s *Server) clientAddress(c *fiber.Ctx) string {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return "unknown"
	}
	peer = peer.Unmap()
	if !s.trusted(peer) {
		return peer.String()
	}
	hops := strings.Split(c.Get(fiber.HeaderXForwardedFor), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		peer = hop.Unmap()
		if !s.trusted(peer) {
			break
		}
	}
	return peer.String()
}

func (s *Server) trusted(address netip.Addr) bool {
	for _, prefix := range s.cfg.TrustedProxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
