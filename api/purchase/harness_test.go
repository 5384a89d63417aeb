package purchase

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/audit"
	"corrosion/api/payment"
	"corrosion/api/payment/paypaltest"
	"corrosion/api/store"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// shop is a Service on a real Postgres, with a license, two modules and a clock that a test moves.
type shop struct {
	*Service
	t       *testing.T
	pool    *pgxpool.Pool
	license uuid.UUID
	paypal  *paypaltest.Server

	mu  sync.Mutex // covers now
	now time.Time
}

func (s *shop) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *shop) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// open makes a shop; with PayPal, or with instant payments.
func open(t *testing.T, paypal bool) *shop {
	t.Helper()
	s := &shop{t: t, pool: schematest.Postgres(t), license: uuid.New(), now: time.Now().Truncate(time.Microsecond)}
	deps := Deps{Gateway: payment.Instant{}}
	if paypal {
		s.paypal = paypaltest.New(t)
		config := s.paypal.Config()
		config.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		gateway, err := payment.NewPayPal(config)
		if err != nil {
			t.Fatal(err)
		}
		webhook, err := payment.NewWebhook(s.paypal.WebhookConfig())
		if err != nil {
			t.Fatal(err)
		}
		deps.Gateway, deps.Webhook = gateway, webhook
	}
	s.Service = s.service(deps)
	if _, err := pg.New(s.pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: s.license, Name: "Ours"}); err != nil {
		t.Fatal(err)
	}
	s.exec(`INSERT INTO modules (slug, name, price, currency, publisher, category, status) VALUES
		('loot', 'Loot', 9.99, 'USD', 'us', 'economy', 'published'), ('gift', 'Gift', 0, 'USD', 'us', 'economy', 'published'),
		('draft', 'Draft', 1, 'USD', 'us', 'economy', 'draft'), ('old', 'Old', 1, 'USD', 'us', 'economy', 'deprecated')`)
	return s
}

// service is another process' view of the same shop.
func (s *shop) service(deps Deps) *Service {
	s.t.Helper()
	deps.Store, deps.Now = store.New(s.pool), s.clock
	service, err := New(DefaultConfig(), deps)
	if err != nil {
		s.t.Fatal(err)
	}
	return service
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) count(sql string, args ...any) (n int) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

var ada = audit.Event{Actor: "ada@example.org"}

func (s *shop) ask(module, key string) Request {
	return Request{License: s.license, Module: module, Key: key, By: ada}
}

func (s *shop) buy(module string) Purchase {
	s.t.Helper()
	p, err := s.Buy(s.t.Context(), s.ask(module, ""))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *shop) owns(module string) bool {
	s.t.Helper()
	owned, err := pg.New(s.pool).OwnsModule(s.t.Context(), pg.OwnsModuleParams{LicenseID: s.license, Module: module})
	if err != nil {
		s.t.Fatal(err)
	}
	return owned
}

// states are where a purchase's transactions led, in order.
func (s *shop) states(p Purchase) (states []Status) {
	s.t.Helper()
	shown, err := s.Show(s.t.Context(), s.license, p.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, t := range shown.Transactions {
		states = append(states, t.To)
	}
	return states
}

// order is the provider's order of a purchase.
func (s *shop) order(p Purchase) string {
	s.t.Helper()
	row, err := pg.New(s.pool).FindAnyPurchase(s.t.Context(), p.ID)
	if err != nil || row.GatewayOrder == nil {
		s.t.Fatal(row, err)
	}
	return *row.GatewayOrder
}
