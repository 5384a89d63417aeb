package natsauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Connection is one live connection to one server. User is its
// Decision.Name where a Gate has admitted it.
type Connection struct {
	Server string
	ID     uint64
	User   string
}

// Connections are the live connections of all servers.
type Connections interface {
	// List gives them all; on an error it gives those that it could find.
	List(ctx context.Context) ([]Connection, error)
	// Kick ends one without an authorization error; one that is gone is no error.
	Kick(ctx context.Context, connection Connection) error
}

// SystemConnections finds connections through the system account of stock
// servers.
type SystemConnections struct {
	// Conn is a connection of the system account.
	Conn *nats.Conn
	// Account is whose connections count.
	Account string
	// Quiet is how long without another server's answer means that all have
	// answered; Page is how many connections are asked for at once.
	Quiet time.Duration
	Page  int
}

// NewSystemConnections has the usual bounds.
func NewSystemConnections(conn *nats.Conn, account string) *SystemConnections {
	return &SystemConnections{Conn: conn, Account: account, Quiet: 300 * time.Millisecond, Page: 4096}
}

// connzQuestion is CONNZ's options.
type connzQuestion struct {
	Auth    bool   `json:"auth"`
	Account string `json:"acc"`
	Sort    string `json:"sort"`
	Limit   int    `json:"limit"`
	Offset  int    `json:"offset"`
}

// systemAnswer is what servers say to requests of the system account.
type systemAnswer struct {
	Server struct {
		ID string `json:"id"`
	} `json:"server"`
	Data struct {
		Total       int `json:"total"`
		Connections []struct {
			CID  uint64 `json:"cid"`
			User string `json:"authorized_user"`
		} `json:"connections"`
	} `json:"data"`
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
}

// List asks every server that answers in time. Pages move when connections end
// meanwhile, so one may be missed until the next time.
func (s *SystemConnections) List(ctx context.Context) ([]Connection, error) {
	first, err := s.askAll(ctx)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, errors.New("list NATS connections: no server answers on the system account")
	}
	var found []Connection
	var faults []error
	for _, answer := range first {
		of, err := s.rest(ctx, answer)
		found = append(found, of...)
		faults = append(faults, err)
	}
	return found, errors.Join(faults...)
}

// askAll asks all servers for their first page.
func (s *SystemConnections) askAll(ctx context.Context) ([]systemAnswer, error) {
	inbox := s.Conn.NewInbox()
	sub, err := s.Conn.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("list NATS connections: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection may be gone
	question, err := json.Marshal(s.question(0))
	if err != nil {
		return nil, err
	}
	if err := s.Conn.PublishRequest("$SYS.REQ.SERVER.PING.CONNZ", inbox, question); err != nil {
		return nil, fmt.Errorf("list NATS connections: %w", err)
	}
	var answers []systemAnswer
	for wait := 10 * s.Quiet; ; wait = s.Quiet {
		m, err := next(ctx, sub, wait)
		if err != nil && ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)) {
			return answers, nil
		}
		if err != nil {
			return answers, fmt.Errorf("list NATS connections: %w", err)
		}
		var answer systemAnswer
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return answers, fmt.Errorf("read a server's connections: %w", err)
		}
		answers = append(answers, answer)
	}
}

func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

func (s *SystemConnections) question(offset int) connzQuestion {
	return connzQuestion{Auth: true, Account: s.Account, Sort: "cid", Limit: s.Page, Offset: offset}
}

// rest gives one server's connections, page by page after the first.
func (s *SystemConnections) rest(ctx context.Context, page systemAnswer) (found []Connection, err error) {
	server := page.Server.ID
	for {
		if page.Error != nil {
			return found, fmt.Errorf("list connections of server %s: %s", server, page.Error.Description)
		}
		for _, c := range page.Data.Connections {
			found = append(found, Connection{Server: server, ID: c.CID, User: c.User})
		}
		if len(page.Data.Connections) == 0 || len(found) >= page.Data.Total {
			return found, nil
		}
		page = systemAnswer{}
		if err := s.ask(ctx, "$SYS.REQ.SERVER."+server+".CONNZ", s.question(len(found)), &page); err != nil {
			return found, err
		}
	}
}

func (s *SystemConnections) ask(ctx context.Context, subject string, question any, answer *systemAnswer) error {
	raw, err := json.Marshal(question)
	if err != nil {
		return err
	}
	m, err := s.Conn.RequestWithContext(ctx, subject, raw)
	if err != nil {
		return fmt.Errorf("ask a NATS server on %s: %w", subject, err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("read the answer on %s: %w", subject, err)
	}
	return nil
}

// Kick asks the connection's server to end it. The server's only objection is
// that it is gone.
func (s *SystemConnections) Kick(ctx context.Context, connection Connection) error {
	var answer systemAnswer
	question := struct {
		CID uint64 `json:"cid"`
	}{connection.ID}
	return s.ask(ctx, "$SYS.REQ.SERVER."+connection.Server+".KICK", question, &answer)
}
