package api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/deploy/local/localtest"
)

// mailbox is a real SMTP server that keeps what it is sent.
type mailbox struct {
	mu     sync.Mutex
	mails  []string
	refuse *smtp.SMTPError
}

type mailSession struct {
	*mailbox
	to string
}

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{mailbox: b}, nil }

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
	if s.refuse != nil {
		return s.refuse
	}
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, "To-Mailbox: "+s.to+"\n"+string(raw))
	return nil
}

// serve listens at address, where port 0 is any.
func (b *mailbox) serve(t *testing.T, address string) (at string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(b)
	server.Domain, server.AllowInsecureAuth, server.EnableSMTPUTF8 = "localhost", true, true
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	// The listener too: a server that is closed before it serves does not know it yet.
	t.Cleanup(func() { _ = server.Close(); _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// await gives the nth mail, decoded.
func (b *mailbox) await(t *testing.T, n int) (text string) {
	t.Helper()
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.mails) < n {
			return fmt.Errorf("%d mails, want %d", len(b.mails), n)
		}
		text = b.mails[n-1]
		return nil
	})
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	decoded, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	return head + "\r\n\r\n" + string(decoded)
}

func (b *mailbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails)
}

// openMailing is openPeople with a worker that sends to address.
func openMailing(t *testing.T, address string) (*people, *mail.Worker) {
	t.Helper()
	var worker *mail.Worker
	p := openPeople(t, func(c *account.Config, d *account.Deps) {
		c.MailEnabled, c.PublicURL = true, "https://stats.example.org"
		d.Wake = func() { worker.Wake() }
	})
	config, err := mail.ParseURL("smtp://" + address + "?tls=none&from=Corrosion%20<no-reply@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	sender, err := mail.NewSMTP(config)
	if err != nil {
		t.Fatal(err)
	}
	pace := mail.DefaultWorkerConfig()
	pace.Poll = 20 * time.Millisecond
	worker, err = mail.NewWorker(pace, mail.WorkerDeps{
		Store: store.New(p.pool), Sender: sender, Renderers: p.service.Renderers(), Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.DiscardHandler), Now: p.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	worker.Open()
	t.Cleanup(worker.Close)
	return p, worker
}

// tokenIn is what stands in a mail's link.
func tokenIn(t *testing.T, text, page string) string {
	t.Helper()
	found := regexp.MustCompile(`https://stats\.example\.org/` + page + `#token=(\S+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link to %s in %s", page, text)
	}
	return found[1]
}

func TestRegisterByMail(t *testing.T) {
	box := &mailbox{}
	address := box.serve(t, "127.0.0.1:0")
	p, _ := openMailing(t, address)
	in := object{"email": "ada@bücher.example", "password": goodPassword}
	first := p.post(registerPath, "", in).ok(t, 202, nil)
	p.post(loginPath, "", in).problem(t, 401, "credentials-invalid")
	text := box.await(t, 1)
	for _, want := range []string{"To-Mailbox: ada@xn--bcher-kva.example", "Auto-Submitted: auto-generated", "Subject: Confirm your Corrosion Stats account"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
	token := tokenIn(t, text, "confirm-email")
	p.post(confirmPath, "", object{"token": token, "password": "not what was registered"}).problem(t, 401, "credentials-invalid")
	p.post(confirmPath, "", object{"token": strings.Replace(token, "crc_", "crp_", 1), "password": goodPassword}).problem(t, 410, "link-invalid")
	var tokens TokensBody
	p.post(confirmPath, "", object{"token": token, "password": goodPassword, "delivery": "body"}).ok(t, 200, &tokens)
	p.post(confirmPath, "", object{"token": token, "password": goodPassword}).problem(t, 410, "link-invalid")
	var me MeBody
	p.get(t, mePath, tokens.AccessToken).ok(t, 200, &me)
	if !me.EmailConfirmed {
		t.Error("the email is not confirmed")
	}
	second := p.post(registerPath, "", object{"email": "ADA@BÜCHER.example", "password": "a password of somebody else"}).ok(t, 202, nil)
	if first.body != second.body {
		t.Errorf("a taken email shows: %s and %s", first.body, second.body)
	}
	if text := box.await(t, 2); !strings.Contains(text, "You have a Corrosion Stats account already") {
		t.Errorf("the owner is told %s", text)
	}
	p.login("ada@bücher.example", goodPassword)
}

func TestResetByMail(t *testing.T) {
	box := &mailbox{}
	address := box.serve(t, "127.0.0.1:0")
	p, _ := openMailing(t, address)
	p.post(registerPath, "", object{"email": "ada@example.org", "password": goodPassword}).ok(t, 202, nil)
	var before TokensBody
	p.post(confirmPath, "", object{"token": tokenIn(t, box.await(t, 1), "confirm-email"), "password": goodPassword, "delivery": "body"}).ok(t, 200, &before)

	unknown := p.post(resetPath, "", object{"email": "nobody@example.org"}).ok(t, 202, nil)
	known := p.post(resetPath, "", object{"email": "ada@example.org"}).ok(t, 202, nil)
	if unknown.body != known.body {
		t.Errorf("the answers differ: %s and %s", unknown.body, known.body)
	}
	token := tokenIn(t, box.await(t, 2), "reset-password")
	p.post(resetConfirmPath, "", object{"token": token, "new_password": "short"}).problem(t, 422, "invalid-request")
	p.post(resetConfirmPath, "", object{"token": token, "new_password": "a new good password"}).ok(t, 204, nil)
	p.post(resetConfirmPath, "", object{"token": token, "new_password": "another good password"}).problem(t, 410, "link-invalid")
	p.refresh(before.RefreshToken).problem(t, 401, "refresh-invalid")
	p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword}).problem(t, 401, "credentials-invalid")
	p.login("ada@example.org", "a new good password")
	if text := box.await(t, 3); !strings.Contains(text, "the password was set anew by a link") {
		t.Errorf("the owner is told %s", text)
	}

	p.post(resetPath, "", object{"email": "ada@example.org"}).ok(t, 202, nil)
	late := tokenIn(t, box.await(t, 4), "reset-password")
	p.clock.pass(time.Hour + time.Second)
	p.post(resetConfirmPath, "", object{"token": late, "new_password": "another good password"}).problem(t, 410, "link-invalid")
	for range 5 {
		p.post(resetPath, "", object{"email": "flooded@example.org"}).ok(t, 202, nil)
	}
	var waiting int
	if err := p.pool.QueryRow(t.Context(), "SELECT count(*) FROM mail_outbox WHERE recipient = 'flooded@example.org'").Scan(&waiting); err != nil || waiting != 4 {
		t.Errorf("%d mails to one address, %v; want 4", waiting, err)
	}
	// No token waits in the database, and none is in the log.
	var stored string
	if err := p.pool.QueryRow(t.Context(), "SELECT string_agg(data::text || last_error, ' ') FROM mail_outbox").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{stored, p.log.String()} {
		if strings.Contains(text, "crp_") || strings.Contains(text, "crc_") || strings.Contains(text, "crr_") {
			t.Errorf("a token stands in %s", text)
		}
	}
}

// A mail server that is away loses nothing, and nobody waits for it.
func TestMailServerAway(t *testing.T) {
	box := &mailbox{}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	p, _ := openMailing(t, address)
	p.post(registerPath, "", object{"email": "ada@example.org", "password": goodPassword}).ok(t, 202, nil)
	row := func() (attempts int, sent bool, fault string, err error) {
		err = p.pool.QueryRow(t.Context(), "SELECT attempts, sent_at IS NOT NULL, last_error FROM mail_outbox").Scan(&attempts, &sent, &fault)
		return attempts, sent, fault, err
	}
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		attempts, sent, fault, err := row()
		if err != nil || attempts != 1 || sent || fault == "" {
			return fmt.Errorf("attempts %d, sent %v, fault %q: %w", attempts, sent, fault, errors.Join(err, errors.New("not delayed yet")))
		}
		return nil
	})
	box.serve(t, address)
	p.clock.pass(time.Minute)
	tokenIn(t, box.await(t, 1), "confirm-email")
}

// A mail that the server will never take is given up at once.
func TestMailRefused(t *testing.T) {
	box := &mailbox{refuse: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}}
	address := box.serve(t, "127.0.0.1:0")
	p, _ := openMailing(t, address)
	p.post(registerPath, "", object{"email": "ada@example.org", "password": goodPassword}).ok(t, 202, nil)
	localtest.CheckFor(t, 20*time.Second, 10*time.Millisecond, func() error {
		var failed bool
		if err := p.pool.QueryRow(t.Context(), "SELECT failed_at IS NOT NULL FROM mail_outbox").Scan(&failed); err != nil {
			return err
		}
		if !failed {
			return errors.New("not given up")
		}
		return nil
	})
	if box.count() != 0 {
		t.Error("it was sent after all")
	}
}

// Without mail an administrator hands the link over; nobody else gets one.
func TestResetLinkOfAdministrators(t *testing.T) {
	p := openPeople(t, nil)
	p.signUp("ada@example.org")
	admin, err := account.CreateAdmin(t.Context(), p.pool, "root@example.org")
	if err != nil {
		t.Fatal(err)
	}
	tokens := p.login("root@example.org", admin.Password)
	if !tokens.MustChangePassword || !tokens.PlatformAdmin {
		t.Errorf("got %+v", tokens)
	}
	p.get(t, sessionsPath, tokens.AccessToken).problem(t, 403, "password-change-required")
	p.get(t, "/api/admin/jobs", tokens.AccessToken).problem(t, 403, "password-change-required")
	p.post(passwordPath, tokens.AccessToken, object{"current_password": admin.Password, "new_password": admin.Password}).problem(t, 422, "invalid-request")
	p.post(passwordPath, tokens.AccessToken, object{"current_password": admin.Password, "new_password": goodPassword}).ok(t, 200, &tokens)
	if tokens.MustChangePassword {
		t.Error("the password must be changed again")
	}
	p.get(t, sessionsPath, tokens.AccessToken).ok(t, 200, nil)
	p.get(t, "/api/admin/nothing", tokens.AccessToken).problem(t, 404, "not-found")

	anyone := p.post(resetPath, "", object{"email": "ada@example.org"}).ok(t, 202, nil)
	if strings.Contains(anyone.body, "crp_") {
		t.Errorf("a stranger gets the link: %s", anyone.body)
	}
	var given AcceptedBody
	p.post(resetPath, tokens.AccessToken, object{"email": "ada@example.org"}).ok(t, 202, &given)
	if given.Link == nil {
		t.Fatal("no link for the administrator")
	}
	_, token, _ := strings.Cut(*given.Link, "#token=")
	p.post(resetConfirmPath, "", object{"token": token, "new_password": "a new good password"}).ok(t, 204, nil)
	p.login("ada@example.org", "a new good password")
	p.post(resetPath, tokens.AccessToken, object{"email": "nobody@example.org"}).problem(t, 404, "not-found")
	if again, err := account.CreateAdmin(t.Context(), p.pool, "ROOT@example.org"); err != nil || again.Password != "" || again.AccountID != admin.AccountID {
		t.Errorf("made twice: %+v, %v", again, err)
	}
}

func TestChangePassword(t *testing.T) {
	p := openPeople(t, nil)
	here := p.signUp("ada@example.org")
	there := p.login("ada@example.org", goodPassword)
	change := func(current, next string) answer {
		return p.post(passwordPath, here.AccessToken, object{"current_password": current, "new_password": next})
	}
	change("wrong password", "a new good password").problem(t, 403, "password-wrong")
	change(goodPassword, "ada").problem(t, 422, "invalid-request")
	change(goodPassword, "aaaaaaaaaaaa").problem(t, 422, "invalid-request")
	change(goodPassword, "a new good pässword").ok(t, 200, nil)
	p.refresh(there.RefreshToken).problem(t, 401, "refresh-invalid")
	p.refresh(here.RefreshToken).ok(t, 200, nil)
	p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword}).problem(t, 401, "credentials-invalid")
	// The same letters, composed otherwise.
	p.login("ada@example.org", "a new good pa\u0308ssword")
}

// A password hashed under lower costs is hashed anew at the next sign-in.
func TestRehashOnLogin(t *testing.T) {
	p := openPeople(t, nil)
	p.signUp("ada@example.org")
	weak, err := auth.HashPassword(goodPassword, auth.PasswordParams{Time: 1, MemoryKiB: 32, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), "UPDATE users SET password_hash = $1", weak); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.login("ada@example.org", goodPassword)
	}
	var stored string
	if err := p.pool.QueryRow(t.Context(), "SELECT password_hash FROM users").Scan(&stored); err != nil || !strings.Contains(stored, "m=64,") {
		t.Errorf("got %s, %v", stored, err)
	}
}

func TestRegistrationClosed(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.Registration = false })
	p.post(registerPath, "", object{"email": "ada@example.org", "password": goodPassword}).problem(t, 403, "registration-closed")
}

// An invitation goes by mail alone: whoever invites is given no link, and the one in the mail joins once.
func TestInvitationByMail(t *testing.T) {
	box := &mailbox{}
	p, _ := openMailing(t, box.serve(t, "127.0.0.1:0"))
	p.post(registerPath, "", object{"email": "ada@example.org", "password": goodPassword}).ok(t, 202, nil)
	var ada TokensBody
	p.post(confirmPath, "", object{"token": tokenIn(t, box.await(t, 1), "confirm-email"), "password": goodPassword, "delivery": "body"}).ok(t, 200, &ada)
	var license MadeLicenseBody
	p.post(licensesPath, ada.AccessToken, object{"name": "Ada's network"}).ok(t, 201, &license)
	p.post(tokenPath, ada.AccessToken, object{"license_id": license.LicenseID}).ok(t, 200, &ada)
	sent := box.count()
	var made MadeInvitationBody
	if a := p.post(invitationsPath, ada.AccessToken, object{"email": "bob@example.org", "role": "viewer"}).ok(t, 201, &made); made.Link != nil || !made.Mail || strings.Contains(a.body, "token=") {
		t.Errorf("who invites is given %s", a.body)
	}
	text := box.await(t, sent+1)
	if !strings.Contains(text, "bob@example.org") || !strings.Contains(text, "Ada's network") {
		t.Errorf("the mail is %s", text)
	}
	in := object{"token": tokenIn(t, text, `[a-z/-]+`), "password": goodPassword, "name": "Bob", "delivery": "body"}
	var bob TokensBody
	p.post(acceptPath, "", in).ok(t, 200, &bob)
	if bob.LicenseID == nil || *bob.LicenseID != license.LicenseID || bob.Role == nil || *bob.Role != auth.Viewer {
		t.Errorf("Bob is %+v", bob)
	}
	p.post(acceptPath, "", in).problem(t, 410, "link-invalid")
}
