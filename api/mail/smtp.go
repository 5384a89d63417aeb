// Package mail sends what the program has to say to people: through an outbox in Postgres, so that no request waits for
// a mail server and a dead one loses nothing.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"corrosion/schema/connect"
)

// SMTPConfig is where mail goes out.
type SMTPConfig struct {
	Host string
	Port int
	// SSL is TLS from the first byte; otherwise TLS is the policy for STARTTLS.
	SSL            bool
	TLS            TLSPolicy
	User, Password string
	// Files are the password's file, which wins over Password, and the authorities that may vouch for the server. They are
	// read again for each mail.
	Files connect.Files
	// From stands in every mail.
	From string
	// Timeout bounds each step of a delivery.
	Timeout time.Duration
}

// TLSPolicy says whether a connection that begins in the clear must become encrypted.
type TLSPolicy string

// The policies.
const (
	StartTLS      TLSPolicy = "starttls"
	Opportunistic TLSPolicy = "opportunistic"
	NoTLS         TLSPolicy = "none"
)

const (
	submissionPort = 587
	smtpsPort      = 465
	smtpTimeout    = 20 * time.Second
)

// ParseURL reads smtp://user:password@host:587?from=Name%20<a@b.org>&tls=starttls|opportunistic|none, or smtps:// for TLS
// from the first byte; password_file and ca_file name files as package connect has them. Errors never quote the URL, which
// holds a password.
func ParseURL(text string) (SMTPConfig, error) {
	base, files, err := connect.Split(text)
	if err != nil {
		return SMTPConfig{}, fmt.Errorf("the SMTP URL: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return SMTPConfig{}, errors.New("the SMTP URL cannot be read: want smtp://user:password@host:587?from=a@example.org")
	}
	c := SMTPConfig{Host: u.Hostname(), Port: submissionPort, TLS: StartTLS, User: u.User.Username(), Files: files, Timeout: smtpTimeout}
	c.Password, _ = u.User.Password()
	if u.Scheme == "smtps" {
		c.SSL, c.Port = true, smtpsPort
	}
	var faults []error
	if u.Port() != "" {
		if c.Port, err = strconv.Atoi(u.Port()); err != nil || c.Port < 1 || c.Port > 65535 {
			faults = append(faults, errors.New("the SMTP URL's port is not one"))
		}
	}
	for name, values := range u.Query() {
		switch name {
		case "from":
			c.From = values[0]
		case "tls":
			c.TLS = TLSPolicy(values[0])
		default:
			faults = append(faults, fmt.Errorf("the SMTP URL knows no parameter %q", name))
		}
	}
	if c.From == "" {
		c.From = "Corrosion Stats <no-reply@" + c.Host + ">"
	}
	return c, errors.Join(append(faults, c.Validate())...)
}

// Validate names every setting that makes no sense.
func (c SMTPConfig) Validate() error {
	var faults []error
	if err := gomail.NewMsg().From(c.From); err != nil {
		faults = append(faults, errors.New("the SMTP URL's from is not an address"))
	}
	switch c.TLS {
	case StartTLS, Opportunistic, NoTLS:
	default:
		faults = append(faults, errors.New("the SMTP URL's tls must be starttls, opportunistic or none"))
	}
	if c.Files.Creds != "" || c.Files.Cert != "" {
		faults = append(faults, errors.New("the SMTP URL takes password_file and ca_file alone"))
	}
	if c.Files.Password != "" && c.User == "" {
		faults = append(faults, errors.New("the SMTP URL's password_file needs a user: smtp://user@host:587"))
	}
	if (c.Password != "" || c.Files.Password != "") && c.TLS == NoTLS && !c.SSL && !loopback(c.Host) {
		faults = append(faults, errors.New("the SMTP URL would send a password unencrypted"))
	}
	return errors.Join(faults...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Message is one mail, plain text.
type Message struct {
	To, Subject, Text string
}

// Sender delivers mail. id is the same for each try of one mail.
type Sender interface {
	Send(ctx context.Context, id string, m Message) error
}

// RefusedError says that the server will never take this mail.
type RefusedError struct{ Code int }

func (e *RefusedError) Error() string {
	return "the mail server refuses the mail with code " + strconv.Itoa(e.Code)
}

// SMTP is the Sender of a real server. It is safe for concurrent use.
type SMTP struct{ config SMTPConfig }

// NewSMTP makes a Sender; it connects anew for each mail. Files that cannot be read now are an error now.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	if err := errors.Join(c.Validate(), c.Files.Check()); err != nil {
		return nil, err
	}
	return &SMTP{config: c}, nil
}

// Send delivers m to the server. It fails with RefusedError where trying again is no use.
func (s *SMTP) Send(ctx context.Context, id string, m Message) error {
	msg := gomail.NewMsg()
	if err := msg.From(s.config.From); err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return &RefusedError{}
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(id + "@" + s.config.Host)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	options, err := s.options()
	if err != nil {
		return fmt.Errorf("sign in at the mail server: %w", err)
	}
	client, err := gomail.NewClient(s.config.Host, options...)
	if err != nil {
		return fmt.Errorf("prepare the mail server's client: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return classify(err)
	}
	return nil
}

// options are those of one mail, with what the files say now.
func (s *SMTP) options() ([]gomail.Option, error) {
	options := []gomail.Option{gomail.WithPort(s.config.Port), gomail.WithTimeout(s.config.Timeout)}
	switch {
	case s.config.SSL:
		options = append(options, gomail.WithSSL())
	case s.config.TLS == NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case s.config.TLS == Opportunistic:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.config.Files.CA != "" {
		trusted, err := s.config.Files.TLS(&tls.Config{ServerName: s.config.Host, MinVersion: tls.VersionTLS12})
		if err != nil {
			return nil, err
		}
		options = append(options, gomail.WithTLSConfig(trusted))
	}
	password, named, err := s.config.Files.Secret()
	if err != nil {
		return nil, err
	}
	if !named {
		password = s.config.Password
	}
	if s.config.User != "" {
		options = append(options, gomail.WithUsername(s.config.User), gomail.WithPassword(password), gomail.WithSMTPAuth(s.auth()))
	}
	return options, nil
}

// auth is negotiated; a server on this machine may be sent a password in the clear.
func (s *SMTP) auth() gomail.SMTPAuthType {
	if s.config.TLS == NoTLS && !s.config.SSL {
		return gomail.SMTPAuthPlainNoEnc
	}
	return gomail.SMTPAuthAutoDiscover
}

// Codes of refusals that stand for good.
const (
	firstPermanent = 550
	lastPermanent  = 559
)

// classify tells a refusal of this very mail from a server that is away or busy.
func classify(err error) error {
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() >= firstPermanent && refused.ErrorCode() <= lastPermanent {
		return &RefusedError{Code: refused.ErrorCode()}
	}
	return fmt.Errorf("deliver mail: %w", err)
}
