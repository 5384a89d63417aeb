package local

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Authenticate decides whether user may connect with password, and what it may
// do then. It is called for each connection, on a goroutine of that
// connection, and may take up to ten seconds.
//
// The answer (nil, true) means "cannot tell now": the connection is dropped
// without an authorization error, because clients give up for good after two
// of those, and so tries again.
type Authenticate func(user, password string) (*Permissions, bool)

// Permissions is what one NATS user may do. Lists hold subjects with
// wildcards; an empty Allow list allows nothing, and Deny wins.
type Permissions struct {
	PublishAllow, PublishDeny     []string
	SubscribeAllow, SubscribeDeny []string
	// Responses is how many answers it may send to the reply subject of a
	// message that it received, within ResponseTTL; 0 = none.
	Responses   int
	ResponseTTL time.Duration
}

// natsGate asks the configuration who may connect.
type natsGate struct{ nats *NATS }

// Check implements server.Authentication.
func (g natsGate) Check(client server.ClientAuthentication) bool {
	options := client.GetOpts()
	if g.nats.isPlatform(options.Username, options.Password) {
		client.RegisterUser(&server.User{Username: options.Username})
		return true
	}
	if g.nats.config.Authenticate == nil {
		g.nats.log.refused.Add(1)
		return false
	}
	permissions, ok := g.nats.config.Authenticate(options.Username, options.Password)
	if !ok {
		g.nats.log.refused.Add(1)
		return false
	}
	if permissions == nil {
		_ = g.nats.server.DisconnectClientByID(client.GetID())
		return false
	}
	client.RegisterUser(&server.User{Username: options.Username, Permissions: permissions.forServer()})
	return true
}

func (p *Permissions) forServer() *server.Permissions {
	out := &server.Permissions{
		Publish:   subjectPermission(p.PublishAllow, p.PublishDeny),
		Subscribe: subjectPermission(p.SubscribeAllow, p.SubscribeDeny),
	}
	if p.Responses > 0 {
		out.Response = &server.ResponsePermission{MaxMsgs: p.Responses, Expires: p.ResponseTTL}
	}
	return out
}

// subjectPermission denies everything when nothing is allowed: for the server
// an empty list would allow all.
func subjectPermission(allow, deny []string) *server.SubjectPermission {
	if len(allow) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: allow, Deny: deny}
}
