package payment_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"corrosion/api/payment"
	"corrosion/api/payment/paypaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func gateway(t *testing.T, s *paypaltest.Server) *payment.PayPal {
	t.Helper()
	config := s.Config()
	config.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	p, err := payment.NewPayPal(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anOrder() payment.Order {
	return payment.Order{Purchase: uuid.New(), Key: uuid.New(), Amount: decimal.RequireFromString("9.99"), Currency: "USD", Description: "Module x", ReturnURL: "https://example.org/a", CancelURL: "https://example.org/b"}
}

func TestPayPalOrderCaptureRefund(t *testing.T) {
	s := paypaltest.New(t)
	p, o := gateway(t, s), anOrder()
	placed, err := p.Place(t.Context(), o)
	if err != nil || placed.ApproveURL == "" {
		t.Fatal(placed, err)
	}
	if again, err := p.Place(t.Context(), o); err != nil || again.ID != placed.ID {
		t.Errorf("the same key: %v %v, want %s", again, err, placed.ID)
	}
	var refused *payment.Refusal
	if _, err := p.Capture(t.Context(), placed.ID, uuid.New()); !errors.As(err, &refused) || refused.Reason != payment.NotApproved {
		t.Errorf("before approval: %v", err)
	}
	s.Approve(placed.ID)
	key := uuid.New()
	taken, err := p.Capture(t.Context(), placed.ID, key)
	if err != nil || taken.State != payment.Done || !taken.Amount.Equal(o.Amount) || taken.Currency != "USD" || taken.Purchase != o.Purchase {
		t.Fatalf("%+v %v", taken, err)
	}
	for name, key := range map[string]uuid.UUID{"the same key": key, "another key": uuid.New()} {
		if again, err := p.Capture(t.Context(), placed.ID, key); err != nil || again.ID != taken.ID {
			t.Errorf("%s: %+v %v", name, again, err)
		}
	}
	for range 2 { // the second finds CAPTURE_FULLY_REFUNDED
		if back, err := p.Refund(t.Context(), taken.ID, o.Amount, "USD", uuid.New()); err != nil || back.State != payment.Done {
			t.Errorf("%+v %v", back, err)
		}
	}
	if orders, captures, refunds := s.Counts(); orders != 1 || captures != 1 || refunds != 1 {
		t.Errorf("%d orders, %d captures, %d refunds", orders, captures, refunds)
	}
}

func TestPayPalFaults(t *testing.T) {
	for name, f := range map[string]struct {
		faults    []paypaltest.Fault
		uncertain bool
		reason    payment.Reason
		state     payment.State
	}{
		"one 500":       {faults: []paypaltest.Fault{paypaltest.Status500}, state: payment.Done},
		"500 for long":  {faults: []paypaltest.Fault{paypaltest.Status500, paypaltest.Status500}, uncertain: true},
		"one time-out":  {faults: []paypaltest.Fault{paypaltest.Silent}, state: payment.Done},
		"garbled":       {faults: []paypaltest.Fault{paypaltest.Garbled}, state: payment.Done},
		"token expired": {faults: []paypaltest.Fault{paypaltest.Expired}, state: payment.Done},
		"declined":      {faults: []paypaltest.Fault{paypaltest.Declined}, reason: payment.Declined},
		"pending":       {faults: []paypaltest.Fault{paypaltest.Pending}, state: payment.Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			s := paypaltest.New(t)
			p := gateway(t, s)
			placed, err := p.Place(t.Context(), anOrder())
			if err != nil {
				t.Fatal(err)
			}
			s.Approve(placed.ID)
			for _, fault := range f.faults {
				s.Fail("/capture", fault)
			}
			result, err := p.Capture(t.Context(), placed.ID, uuid.New())
			var refused *payment.Refusal
			switch {
			case f.uncertain:
				if !errors.Is(err, payment.ErrUncertain) {
					t.Errorf("got %v", err)
				}
			case f.reason != "":
				if !errors.As(err, &refused) || refused.Reason != f.reason {
					t.Errorf("got %v", err)
				}
			case err != nil || result.State != f.state:
				t.Errorf("got %+v %v", result, err)
			}
		})
	}
}

// A secret that is rotated counts for the next token.
func TestPayPalSecretIsReadForEachToken(t *testing.T) {
	s := paypaltest.New(t)
	config, secret := s.Config(), "of yesterday"
	config.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	config.Secret = func() (string, error) {
		if secret == "" {
			return "", errors.New("the file is away")
		}
		return secret, nil
	}
	p, err := payment.NewPayPal(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret = range []string{"of yesterday", ""} {
		if _, err := p.Place(t.Context(), anOrder()); !errors.Is(err, payment.ErrUncertain) {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
	secret = paypaltest.Secret
	if _, err := p.Place(t.Context(), anOrder()); err != nil {
		t.Error(err)
	}
	secret = "" // a token that lives needs none
	if _, err := p.Place(t.Context(), anOrder()); err != nil {
		t.Error(err)
	}
}

func TestPayPalUnknownOrder(t *testing.T) {
	p := gateway(t, paypaltest.New(t))
	var refused *payment.Refusal
	if _, err := p.Capture(t.Context(), "ORDX", uuid.New()); !errors.As(err, &refused) || refused.Reason != payment.Gone {
		t.Errorf("got %v", err)
	}
}

func TestWebhook(t *testing.T) {
	s := paypaltest.New(t)
	p := gateway(t, s)
	o := anOrder()
	placed, err := p.Place(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.Approve(placed.ID)
	taken, err := p.Capture(t.Context(), placed.ID, uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	hook, err := payment.NewWebhook(s.WebhookConfig())
	if err != nil {
		t.Fatal(err)
	}
	event := s.Event("WH-1", "PAYMENT.CAPTURE.COMPLETED", placed.ID)
	message := s.Sign(event, paypaltest.Signing{})
	got, err := hook.Read(t.Context(), message.Get, message.Body)
	if err != nil || got.Kind != payment.MoneyTaken || got.Capture != taken.ID || got.Order != placed.ID || got.Purchase != o.Purchase || !got.Amount.Equal(o.Amount) {
		t.Fatalf("%+v %v", got, err)
	}
	for name, how := range map[string]paypaltest.Signing{
		"a stranger's key": {Stranger: true}, "a stranger's certificate": {Stranger: true, Cert: "stranger"},
		"a certificate for another name": {Cert: "elsewhere"}, "no certificate": {Cert: "none"},
		"another webhook's": {WebhookID: "WH-OTHER"}, "old": {Age: 5 * 24 * time.Hour}, "of tomorrow": {Age: -24 * time.Hour},
	} {
		message := s.Sign(event, how)
		if _, err := hook.Read(t.Context(), message.Get, message.Body); !errors.Is(err, payment.ErrForged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, change := range map[string]func(*paypaltest.Message){
		"another body": func(m *paypaltest.Message) { m.Body = append([]byte(" "), m.Body...) },
		"another time": func(m *paypaltest.Message) {
			m.Header.Set("PAYPAL-TRANSMISSION-TIME", time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
		},
		"another algorithm": func(m *paypaltest.Message) { m.Header.Set("PAYPAL-AUTH-ALGO", "none") },
		"no signature":      func(m *paypaltest.Message) { m.Header.Del("PAYPAL-TRANSMISSION-SIG") },
		"another host":      func(m *paypaltest.Message) { m.Header.Set("PAYPAL-CERT-URL", "https://example.org/cert") },
		"without TLS": func(m *paypaltest.Message) {
			m.Header.Set("PAYPAL-CERT-URL", "http://"+s.WebhookConfig().CertHosts[0]+"/v1/notifications/certs/good")
		},
	} {
		message := s.Sign(event, paypaltest.Signing{})
		change(&message)
		if _, err := hook.Read(t.Context(), message.Get, message.Body); !errors.Is(err, payment.ErrForged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	away := s.Sign(event, paypaltest.Signing{Cert: "away"})
	if _, err := hook.Read(t.Context(), away.Get, away.Body); !errors.Is(err, payment.ErrUncertain) {
		t.Errorf("a certificate that cannot be had: %v", err)
	}
}

func TestCheck(t *testing.T) {
	f := func(price, currency string, good bool) {
		t.Helper()
		if err := payment.Check(decimal.RequireFromString(price), currency); (err == nil) != good {
			t.Errorf("%s %s: %v", price, currency, err)
		}
	}
	f("9.99", "USD", true)
	f("0", "EUR", true)
	f("100", "JPY", true)
	f("100.5", "JPY", false)
	f("1.001", "USD", false)
	f("-1", "USD", false)
	f("1", "XXX", false)
}
