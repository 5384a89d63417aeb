package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/deploy/local/localtest"
)

// apiProcess is an API process of its own beside a running platform.
type apiProcess struct {
	*child
	*platform
}

var apiReady = regexp.MustCompile(`corrosion api is ready: (\S+)`)

// startAPI runs corrosion api on a platform's data and services, with Postgres at postgres.
func (p *platform) startAPI(t *testing.T, postgres string, flags ...string) *apiProcess {
	t.Helper()
	args := append([]string{"api", "--data", p.data, "--listen", "127.0.0.1:0", "--clickhouse-url", p.ClickHouseNative,
		"--clickhouse-http-url", p.ClickHouseHTTP, "--postgres-url", postgres, "--nats-url", p.NATS}, flags...)
	a := &apiProcess{startChild(t, args...), &platform{t: t, data: p.data, Endpoints: p.Endpoints}}
	localtest.CheckFor(t, 60*time.Second, 20*time.Millisecond, func() error {
		found := apiReady.FindStringSubmatch(a.child.log.String())
		if found == nil {
			return errors.New(a.child.log.String())
		}
		a.HTTP = found[1]
		return nil
	})
	return a
}

// commitHolder is a way to Postgres that lets the commit of a purchase through and never brings its answer.
type commitHolder struct {
	net.Listener
	target string
	held   chan struct{}
	once   sync.Once
}

func newCommitHolder(t *testing.T, postgres string) (h *commitHolder, through string) {
	t.Helper()
	u, err := url.Parse(postgres)
	if err != nil {
		t.Fatal(err)
	}
	h = &commitHolder{target: u.Host, held: make(chan struct{})}
	if h.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := h.Accept()
			if err != nil {
				return
			}
			open.Go(func() { h.serve(client) })
		}
	})
	t.Cleanup(func() { _ = h.Close(); open.Wait() })
	u.Host = h.Addr().String()
	return h, u.String()
}

func (h *commitHolder) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", h.target)
	if err != nil {
		return
	}
	defer server.Close()
	back := make(chan struct{})
	deaf := make(chan struct{})
	go func() { // ends with the server's connection
		defer close(back)
		h.answer(client, server, deaf)
	}()
	buys := false
	piece := make([]byte, 64<<10)
	for {
		n, err := client.Read(piece)
		buys = buys || bytes.Contains(piece[:n], []byte("INSERT INTO module_purchases"))
		if buys && bytes.Contains(piece[:n], []byte("commit\x00")) {
			h.once.Do(func() { close(deaf); close(h.held) })
		}
		if _, failed := server.Write(piece[:n]); err != nil || failed != nil {
			break
		}
	}
	_ = server.Close()
	<-back
}

// answer brings what Postgres says until the client is to hear nothing more.
func (h *commitHolder) answer(client io.Writer, server io.Reader, deaf <-chan struct{}) {
	piece := make([]byte, 64<<10)
	for {
		n, err := server.Read(piece)
		select {
		case <-deaf:
			n = 0
		default:
		}
		if _, failed := client.Write(piece[:n]); err != nil || failed != nil {
			return
		}
	}
}

// A process that is killed when a purchase is recorded and before it answers leaves one purchase: the same key then
// gives it, with its receipt, at once and from any other process.
func TestKilledBetweenPurchaseAndAnswer(t *testing.T) {
	p := startPlatform(t)
	license, _ := p.license("Buyer")
	token := strings.TrimSpace(p.corrosion("token", "--license", license, "--role", "owner"))
	holder, through := newCommitHolder(t, p.Postgres)
	doomed := p.startAPI(t, through)
	answered := make(chan error, 1)
	go func() { _, err := buyLoot(doomed.platform, token); answered <- err }()
	select {
	case <-holder.held:
	case err := <-answered:
		t.Fatalf("it was answered: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("no purchase was committed")
	}
	pool, err := pgxpool.New(t.Context(), p.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var recorded string
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		return pool.QueryRow(t.Context(), "SELECT id::text FROM module_purchases WHERE license_id = $1", license).Scan(&recorded)
	})
	if err := doomed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil {
		t.Fatal("the killed process answered")
	}
	other := p.startAPI(t, p.Postgres)
	for range 2 {
		bought, err := buyLoot(other.platform, token)
		if err != nil || bought.ID != recorded || bought.Status != "completed" || bought.Amount != "9.99" {
			t.Errorf("again: %+v %v, want %s", bought, err, recorded)
		}
	}
	var purchases, transactions int
	if err := pool.QueryRow(t.Context(), `SELECT count(DISTINCT p.id), count(t.id) FROM module_purchases p JOIN module_transactions t ON t.purchase_id = p.id
		WHERE p.license_id = $1`, license).Scan(&purchases, &transactions); err != nil || purchases != 1 || transactions != 2 {
		t.Errorf("%d purchases with %d transactions, %v", purchases, transactions, err)
	}
	var receipt struct {
		Purchase string `json:"purchase_id"`
		Total    string `json:"amount"`
	}
	other.ask("GET", "/api/modules/purchases/"+recorded+"/receipt", token, nil, &receipt, 200)
	if receipt.Purchase != recorded || receipt.Total != "9.99" {
		t.Errorf("receipt %+v", receipt)
	}
}

type boughtModule struct {
	ID     string `json:"purchase_id"`
	Status string
	Amount string
}

// buyLoot asks for Loot Manager, always under the same key.
func buyLoot(p *platform, token string) (bought boughtModule, err error) {
	request, err := http.NewRequest(http.MethodPost, p.HTTP+"/api/modules/loot-manager/purchase", http.NoBody) //nolint:noctx // ends with the process it asks
	if err != nil {
		return bought, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Idempotency-Key", "the only one")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return bought, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		err = errors.New(response.Status + " " + string(text))
	}
	return bought, errors.Join(err, json.Unmarshal(text, &bought))
}
