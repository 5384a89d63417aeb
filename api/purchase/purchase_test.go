package purchase

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"corrosion/api/payment"
	"corrosion/schema/pg"
)

// Whatever moves are tried, a purchase never leaves the machine, and nothing but a completed purchase is owned.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := none
		for range rapid.IntRange(1, 20).Draw(t, "moves") {
			to := rapid.SampledFrom(Statuses()).Draw(t, "to")
			if !Allowed(at, to) {
				continue
			}
			if to == Completed && (at == none || at == Refunded) || at == Refunded || to == Pending && at == Completed {
				t.Fatalf("%q may become %q", at, to)
			}
			at = to
		}
	})
	for _, s := range Statuses() {
		if Allowed(s, s) {
			t.Errorf("%s may become itself", s)
		}
	}
}

func TestBuyInstantly(t *testing.T) {
	s := open(t, false)
	p := s.buy("loot")
	if p.Status != Completed || p.Amount.String() != "9.99" || p.Currency != "USD" || p.Gateway != "instant" || p.CompletedAt == nil || !s.owns("loot") {
		t.Errorf("%+v", p)
	}
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Completed}) {
		t.Errorf("transactions led to %v", got)
	}
	if _, err := s.Buy(t.Context(), s.ask("loot", "")); !errors.Is(err, ErrOwned) {
		t.Errorf("again: %v", err)
	}
	for _, module := range []string{"draft", "old", "nothing"} {
		if _, err := s.Buy(t.Context(), s.ask(module, "")); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", module, err)
		}
	}
	if audits := s.count("SELECT count(*) FROM audit_log WHERE target_kind = 'purchase' AND target_id = $1", p.ID.String()); audits != 2 {
		t.Errorf("%d audit entries", audits)
	}
}

func TestFreeModuleNeedsNoGateway(t *testing.T) {
	s := open(t, true)
	if p := s.buy("gift"); p.Status != Completed || p.Gateway != "free" || p.Amount.String() != "0.00" || !s.owns("gift") {
		t.Errorf("%+v", p)
	}
	if orders, _, _ := s.paypal.Counts(); orders != 0 {
		t.Errorf("%d orders at PayPal", orders)
	}
}

func TestPriceIsThatOfTheDay(t *testing.T) {
	s := open(t, false)
	seen := s.ask("loot", "")
	seen.Expected = &Expected{Amount: decimal.RequireFromString("9.50"), Currency: "USD"}
	if _, err := s.Buy(t.Context(), seen); !errors.Is(err, ErrPrice) {
		t.Errorf("another price: %v", err)
	}
	seen.Expected.Amount = decimal.RequireFromString("9.990")
	p, err := s.Buy(t.Context(), seen)
	if err != nil {
		t.Fatal(err)
	}
	s.exec("UPDATE modules SET price = 20 WHERE slug = 'loot'")
	if again, err := s.Show(t.Context(), s.license, p.ID); err != nil || again.Amount.String() != "9.99" {
		t.Errorf("%v %v", again.Amount, err)
	}
}

// Fifty requests at once, of two processes, are one purchase.
func TestParallelPurchasesAreOne(t *testing.T) {
	for _, paypal := range []bool{false, true} {
		t.Run(fmt.Sprint("paypal ", paypal), func(t *testing.T) {
			s := open(t, paypal)
			other := s.service(s.deps)
			var won, owned atomic.Int64
			var ids sync.Map
			var wg sync.WaitGroup
			for i := range 50 {
				service := []*Service{s.Service, other}[i%2]
				wg.Go(func() {
					p, err := service.Buy(t.Context(), s.ask("loot", ""))
					switch {
					case err == nil:
						won.Add(1)
						ids.Store(p.ID, true)
					case errors.Is(err, ErrOwned):
						owned.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			n := 0
			ids.Range(func(any, any) bool { n++; return true })
			if n != 1 || s.count("SELECT count(*) FROM module_purchases") != 1 {
				t.Errorf("%d purchases", n)
			}
			if !paypal && (won.Load() != 1 || owned.Load() != 49) {
				t.Errorf("%d bought, %d were told that it is owned", won.Load(), owned.Load())
			}
			if paypal {
				if orders, _, _ := s.paypal.Counts(); orders != 1 {
					t.Errorf("%d orders at PayPal", orders)
				}
			}
		})
	}
}

func TestSameKeySameAnswer(t *testing.T) {
	s := open(t, false)
	first, err := s.Buy(t.Context(), s.ask("loot", "key-1"))
	if err != nil {
		t.Fatal(err)
	}
	// Another process, as after a crash between the commit and the answer, and after a refund.
	again := func(when string) {
		t.Helper()
		if got, err := s.service(s.deps).Buy(t.Context(), s.ask("loot", "key-1")); err != nil || !reflect.DeepEqual(got, first) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", when, err, got, first)
		}
	}
	again("at once")
	if _, err := s.Refund(t.Context(), s.license, first.ID, "", ada); err != nil {
		t.Fatal(err)
	}
	again("after the refund")
	if s.owns("loot") {
		t.Error("a repeated answer made a purchase")
	}
	if _, err := s.Buy(t.Context(), s.ask("gift", "key-1")); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another module: %v", err)
	}
	stranger := s.ask("loot", "key-1")
	stranger.License = uuid.New()
	if _, err := pg.New(s.pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: stranger.License, Name: "theirs"}); err != nil {
		t.Fatal(err)
	}
	if theirs, err := s.Buy(t.Context(), stranger); err != nil || theirs.ID == first.ID {
		t.Errorf("another license's key: %v %v", theirs.ID, err)
	}
}

func TestRefund(t *testing.T) {
	s := open(t, false)
	p := s.buy("loot")
	back, err := s.Refund(t.Context(), s.license, p.ID, "does not fit", ada)
	if err != nil || back.Status != Refunded || back.RefundedAt == nil || s.owns("loot") {
		t.Fatalf("%+v %v", back, err)
	}
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Completed, Refunding, Refunded}) {
		t.Errorf("transactions led to %v", got)
	}
	if again, err := s.Refund(t.Context(), s.license, p.ID, "", ada); err != nil || again.Transaction != back.Transaction {
		t.Errorf("again: %v", err)
	}
	second := s.buy("loot") // it can be bought anew
	s.pass(15 * 24 * time.Hour)
	if _, err := s.Refund(t.Context(), s.license, second.ID, "", ada); !errors.Is(err, ErrTooLate) {
		t.Errorf("after 15 days: %v", err)
	}
	if _, err := s.Refund(t.Context(), uuid.New(), second.ID, "", ada); !errors.Is(err, ErrUnknown) {
		t.Errorf("another license: %v", err)
	}
	if back, err := s.RefundAny(t.Context(), second.ID, "goodwill", ada); err != nil || back.Status != Refunded || *back.License != s.license {
		t.Errorf("an administrator: %+v %v", back, err)
	}
}

func TestReceipt(t *testing.T) {
	s := open(t, false)
	p := s.buy("loot")
	s.exec("UPDATE modules SET name = '<b>Loot</b>' WHERE slug = 'loot'")
	r, err := s.Receipt(t.Context(), s.license, p.ID)
	if err != nil || r.Number != p.Transaction || r.Amount.String() != "9.99" || r.LicenseName != "Ours" || r.Buyer != ada.Actor {
		t.Fatalf("%+v %v", r, err)
	}
	page, err := r.HTML()
	if err != nil || !strings.Contains(string(page), "9.99 USD") || !strings.Contains(string(page), "&lt;b&gt;Loot") {
		t.Errorf("%v\n%s", err, page)
	}
	if text, err := r.Text(); err != nil || !strings.Contains(string(text), "Total 9.99 USD") || strings.Contains(string(text), "REFUNDED") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := s.Receipt(t.Context(), uuid.New(), p.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("another license: %v", err)
	}
}

func TestListPages(t *testing.T) {
	s := open(t, false)
	var want, got []uuid.UUID
	for range 5 {
		p := s.buy("loot")
		want = append([]uuid.UUID{p.ID}, want...)
		if _, err := s.Refund(t.Context(), s.license, p.ID, "", ada); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Millisecond)
	}
	for cursor := ""; ; {
		list, err := s.List(t.Context(), ListRequest{License: s.license, Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Purchases {
			got = append(got, p.ID)
		}
		if list.Next == nil {
			break
		}
		cursor = *list.Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if _, err := s.List(t.Context(), ListRequest{License: s.license, Limit: 2, Cursor: "x"}); !errors.Is(err, ErrCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
	if all, err := s.ListAny(t.Context(), ListRequest{Status: Completed, Limit: 10}); err != nil || len(all.Purchases) != 0 {
		t.Errorf("completed ones: %v %v", all, err)
	}
}

// Postgres itself keeps the log as it was written, and purchases where the log says.
func TestPostgresKeepsTheLog(t *testing.T) {
	s := open(t, false)
	p := s.buy("loot")
	row := func(from any, to string) string {
		return fmt.Sprintf(`INSERT INTO module_transactions (id, purchase_id, license_id, from_status, to_status, amount, currency, gateway, actor, at)
			SELECT gen_random_uuid(), id, license_id, %s, '%s', amount, currency, gateway, 'x', now() FROM module_purchases`, from, to)
	}
	for what, sql := range map[string]string{
		"a transaction is edited":              "UPDATE module_transactions SET amount = 1",
		"a transaction is removed":             "DELETE FROM module_transactions",
		"the log is emptied":                   "TRUNCATE module_transactions",
		"a purchase is removed":                "DELETE FROM module_purchases",
		"its license is removed":               "DELETE FROM licenses",
		"the price is changed":                 "UPDATE module_purchases SET amount = 1",
		"it is given to another module":        "UPDATE module_purchases SET module = 'gift'",
		"a state is changed without the log":   "UPDATE module_purchases SET status = 'refunded'",
		"a purchase begins without the log":    "INSERT INTO module_purchases (id, license_id, module, status, amount, currency, gateway, buyer, created_at, updated_at) SELECT gen_random_uuid(), license_id, 'gift', 'completed', 0, 'USD', 'free', 'x', now(), now() FROM module_purchases",
		"the log goes on from somewhere else":  row("'pending'", "refunded"),
		"the log begins anew":                  row("NULL", "pending"),
		"a second purchase of the same counts": "INSERT INTO module_purchases (id, license_id, module, status, amount, currency, gateway, buyer, created_at, updated_at) SELECT gen_random_uuid(), license_id, module, 'pending', 0, 'USD', 'free', 'x', now(), now() FROM module_purchases",
	} {
		var refused *pgconn.PgError
		if _, err := s.pool.Exec(t.Context(), sql); !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want a refusal", what, err)
		}
	}
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Completed}) || !s.owns("loot") {
		t.Errorf("transactions led to %v", got)
	}
	// A license can still be erased whole, by who says so.
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SET LOCAL corrosion.audit_erase = 'on'", "DELETE FROM licenses"} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil || s.count("SELECT count(*) FROM module_transactions") != 0 {
		t.Error(err)
	}
}

// Amounts never pass through floating point: what is bought costs what stands in the catalogue, to the last cent.
func TestAmountsAreExact(t *testing.T) {
	s := open(t, false)
	for _, price := range []string{"0.01", "0.10", "19.99", "1234567.89", "9999999999.99"} {
		s.exec("UPDATE modules SET price = $1::numeric WHERE slug = 'loot'", price)
		p := s.buy("loot")
		if text, err := p.Amount.MarshalJSON(); err != nil || string(text) != `"`+price+`"` {
			t.Errorf("%s: %s %v", price, text, err)
		}
		if _, err := s.Refund(t.Context(), s.license, p.ID, "", ada); err != nil {
			t.Fatal(err)
		}
	}
	var a payment.Amount
	if err := a.UnmarshalJSON([]byte(`"10"`)); err != nil || a.String() != "10.00" {
		t.Errorf("%s %v", a, err)
	}
}
