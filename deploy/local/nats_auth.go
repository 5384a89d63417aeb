package local

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Login is what a connecting client shows; Address is its host and port.
type Login struct{ User, Password, Address string }

// Grant is what an admitted user may do. Name is what the connection is called
// in NATS.Connections; empty = the user.
type Grant struct {
	Name        string
	Permissions Permissions
}

// Authenticate decides whether a client may connect, and what it may do then.
// It is called for each connection, on a goroutine of that connection, and may
// take up to ten seconds.
//
// The answer (nil, true) means "not now": the connection is dropped without an
// authorization error, because clients give up for good after two of those,
// and so tries again.
type Authenticate func(Login) (*Grant, bool)

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
	login := Login{User: options.Username, Password: options.Password}
	if remote := client.RemoteAddress(); remote != nil { // nil once the client has gone
		login.Address = remote.String()
	}
	grant, ok := g.nats.config.Authenticate(login)
	if !ok {
		g.nats.log.refused.Add(1)
		return false
	}
	if grant == nil {
		_ = g.nats.server.DisconnectClientByID(client.GetID())
		return false
	}
	name := grant.Name
	if name == "" {
		name = options.Username
	}
	client.RegisterUser(&server.User{Username: name, Permissions: grant.Permissions.forServer()})
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
