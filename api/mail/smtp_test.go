package mail_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"corrosion/api/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is an SMTP server that takes mail from one user.
type post struct {
	mu       sync.Mutex
	password string
	taken    int
}

type visit struct {
	*post
	known bool
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &visit{post: p}, nil }

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if user != "stats" || password != v.password {
			return errors.New("who are you")
		}
		v.known = true
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error {
	if !v.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (v *visit) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (v *visit) Reset()                               {}
func (v *visit) Logout() error                        { return nil }

func (v *visit) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken++
	return err
}

func (p *post) expect(password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.password = password
}

func (p *post) open(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(p)
	server.Domain, server.AllowInsecureAuth = "localhost", true
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// A password that is rotated in its file counts for the next mail, and a file that is away for a moment costs one try.
func TestPasswordIsReadForEachMail(t *testing.T) {
	server := &post{password: "old"}
	path := filepath.Join(t.TempDir(), "smtp")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	config, err := mail.ParseURL(fmt.Sprintf("smtp://stats:unused@%s?tls=none&from=a@example.org&password_file=%s", server.open(t), path))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := mail.NewSMTP(config)
	if err != nil {
		t.Fatal(err)
	}
	send := func() error {
		return sender.Send(t.Context(), "id", mail.Message{To: "b@example.org", Subject: "s", Text: "t"})
	}
	if err := send(); err != nil {
		t.Error(err)
	}
	server.expect("new")
	var refused *mail.RefusedError
	if err := send(); err == nil || errors.As(err, &refused) {
		t.Errorf("the old password: %v, want a fault that passes", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := send(); err == nil || errors.As(err, &refused) {
		t.Errorf("without the file: %v, want a fault that passes", err)
	}
	write("new")
	if err := send(); err != nil || server.taken != 2 {
		t.Errorf("the new password: %v, %d taken", err, server.taken)
	}
}

func TestURLsThatMakeNoSense(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		config, err := mail.ParseURL(raw)
		if err == nil {
			_, err = mail.NewSMTP(config)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
	f("http://u:hunter2@h", "cannot be read")
	f("smtp://u:hunter2@h?%zz", "cannot be read")
	f("smtp://u:hunter2@h?colour=red", "no parameter")
	f("smtp://u:hunter2@h?tls=none", "unencrypted")
	f("smtp://u@h?tls=none&password_file=/p", "unencrypted")
	f("smtp://h?password_file=/p", "needs a user")
	f("smtp://u@h?password_file=/nowhere", "no such file")
	f("smtp://u@h?ca_file=/nowhere", "no such file")
	f("smtp://u@h?creds_file=/c", "alone")
}
