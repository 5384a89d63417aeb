package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/connect"
)

// topology is every service in a place of its own, over TLS alone, and the flags that reach them.
type topology struct {
	t     *testing.T
	data  string
	flags []string // of all services
	// passwords are the files of NATS, ClickHouse and Postgres.
	nats, clickhouse, postgres string
}

const natsOverTLS = `
tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }
authorization { users: [ { user: platform, password: %q } ] }
`

func newTopology(t *testing.T) *topology {
	a := localtest.NewAuthority(t)
	natsCert, natsKey := a.Issue(t, "nats")
	cert, key := a.Issue(t, "platform")
	broker := localtest.NewStockNATS(t, fmt.Sprintf(natsOverTLS, natsCert, natsKey, a.CAFile, localtest.Password))
	plainNative, plainHTTP := localtest.NewClickHouse(t).Ports()
	native := localtest.NewTLSFront(t, a, fmt.Sprintf("127.0.0.1:%d", plainNative))
	https := localtest.NewTLSFront(t, a, fmt.Sprintf("127.0.0.1:%d", plainHTTP))
	store := localtest.NewPostgres(t)
	store.RequireTLS(t, a)

	top := &topology{t: t, data: t.TempDir()}
	top.nats, top.clickhouse, top.postgres = top.secret("nats"), top.secret("clickhouse"), top.secret("postgres")
	top.flags = []string{
		"--data", top.data,
		"--nats-url", "tls://platform@127.0.0.1:1,tls://platform@" + broker.Addr(), "--nats-password-file", top.nats, // the first host is down
		"--clickhouse-url", "clickhouse://corrosion@" + native + "/corrosion?secure=true", "--clickhouse-password-file", top.clickhouse,
		"--clickhouse-http-url", "https://corrosion@" + https + "/?database=corrosion",
		"--postgres-url", fmt.Sprintf("postgres://corrosion@127.0.0.1:%d/corrosion?sslmode=verify-full", store.Port()), "--postgres-password-file", top.postgres,
	}
	for _, service := range []string{"nats", "clickhouse", "postgres"} {
		top.flags = append(top.flags, "--"+service+"-ca-file", a.CAFile, "--"+service+"-cert-file", cert, "--"+service+"-key-file", key)
	}
	return top
}

// secret writes the password that every test server has.
func (top *topology) secret(name string) string {
	path := filepath.Join(top.data, name+".password")
	top.write(path, localtest.Password)
	return path
}

func (top *topology) write(path, text string) {
	top.t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		top.t.Fatal(err)
	}
}

// run runs a command to its end.
func (top *topology) run(args ...string) (code int, out string) {
	top.t.Helper()
	var stdout lockedBuffer
	e := &env{ctx: top.t.Context(), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stdout, hurry: make(chan struct{})}
	code = run(e, append(args, top.flags...))
	return code, stdout.String()
}

func (top *topology) must(args ...string) string {
	top.t.Helper()
	code, out := top.run(args...)
	if code != 0 {
		top.t.Fatalf("corrosion %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// start runs a role until the test ends; its log is returned.
func (top *topology) start(role string, flags ...string) *lockedBuffer {
	top.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, done := &lockedBuffer{}, make(chan int, 1)
	e := &env{ctx: ctx, stdin: strings.NewReader(""), stdout: log, stderr: log, hurry: make(chan struct{})}
	go func() { done <- run(e, append(append([]string{role}, top.flags...), flags...)) }()
	top.t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			top.t.Errorf("corrosion %s: exit %d\n%s", role, code, log)
		}
	})
	return log
}

// Every role runs alone against services that speak TLS with client certificates, and a sample goes the whole way.
func TestRolesAloneOverTLS(t *testing.T) {
	top := newTopology(t)
	if code, out := top.run("doctor"); code == 0 || !strings.Contains(out, "run `corrosion migrate`") || !strings.Contains(out, "can be made") {
		t.Errorf("doctor before the migration: exit %d\n%s", code, out)
	}
	top.must("migrate")
	var created struct {
		LicenseID string `json:"license_id"`
	}
	if err := json.Unmarshal([]byte(top.must("license", "create", "--name", "Over TLS")), &created); err != nil {
		t.Fatal(err)
	}
	listen, probe, probeJobs := freeAddress(t), freeAddress(t), freeAddress(t)
	top.start("ingest", "--probe-listen", probe)
	top.start("api", "--listen", listen, "--drain", "0s")
	top.start("aggregate", "--probe-listen", probeJobs)
	for _, address := range []string{listen, probe, probeJobs} {
		localtest.CheckFor(t, 60*time.Second, 50*time.Millisecond, func() error { return ready(address) })
	}
	top.must("simulate", "--license", created.LicenseID, "--servers", "3", "--interval", "1s", "--duration", "2s")
	top.flags = append(top.flags, "--format", "TSV")
	localtest.CheckFor(t, 30*time.Second, 100*time.Millisecond, func() error {
		if out := strings.TrimSpace(top.must("sql", "SELECT uniqExact(server_id) FROM samples")); out != "3" {
			return fmt.Errorf("%s servers are stored", out)
		}
		return nil
	})
	top.flags = top.flags[:len(top.flags)-2]
	code, out := top.run("doctor")
	if code == 0 || strings.Count(out, "FAULT") != 1 || !strings.Contains(out, "FAULT  nats        127.0.0.1:1") {
		t.Errorf("doctor must find the host that is down and nothing else: exit %d\n%s", code, out)
	}
	if !strings.Contains(out, "TLS 1.3") || !strings.Contains(out, "is current") {
		t.Errorf("doctor does not tell of TLS and schemas:\n%s", out)
	}
}

func ready(address string) error {
	response, err := http.Get("http://" + address + "/readyz") //nolint:noctx // polled
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// A password that was rotated counts for the next connection, without a restart.
func TestSecretsAreReadAgain(t *testing.T) {
	broker := localtest.NewStockNATS(t, fmt.Sprintf("authorization { users: [ { user: platform, password: %q } ] }", localtest.Password))
	path := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	url := "nats://platform@" + broker.Addr() + "?password_file=" + path
	if conn, err := connect.NATS(url); err == nil {
		conn.Close()
		t.Fatal("a wrong password was taken")
	}
	write(localtest.Password + "\n")
	conn, err := connect.NATS(url)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// PayPal's secret too, and the mail server's password is named in its URL.
func TestSecretsOfPaymentAndMail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	f := moduleFlags{PayPalClientID: "id", PayPalSecretFile: path}
	if _, err := f.payPalSecret(); err == nil || !strings.Contains(err.Error(), "CORROSION_PAYPAL_SECRET_FILE") {
		t.Errorf("without the file: %v", err)
	}
	for _, want := range []string{"old", "new"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.payPalSecret(); err != nil || got != want {
			t.Errorf("got %q %v, want %q", got, err, want)
		}
	}
	server, err := accountFlags{SMTPURL: "smtp://stats@mail.example.org?from=a@example.org", SMTPPasswordFile: path}.mailServer()
	if err != nil || server.Files.Password != path || server.User != "stats" {
		t.Errorf("%+v %v", server, err)
	}
	if _, err := (accountFlags{SMTPPasswordFile: path}).mailServer(); err == nil || !strings.Contains(err.Error(), "--smtp-url") {
		t.Errorf("a password without a server: %v", err)
	}
}
