package purchase

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"corrosion/api/payment"
	"corrosion/api/payment/paypaltest"
)

func TestPayPalPurchase(t *testing.T) {
	s := open(t, true)
	p, err := s.Buy(t.Context(), s.ask("loot", "k"))
	if err != nil || p.Status != Pending || p.ApproveURL == nil || s.owns("loot") {
		t.Fatalf("%+v %v", p, err)
	}
	if again, err := s.Buy(t.Context(), s.ask("loot", "k")); err != nil || again.ID != p.ID || *again.ApproveURL != *p.ApproveURL {
		t.Errorf("the same key: %+v %v", again, err)
	}
	if again, err := s.Buy(t.Context(), s.ask("loot", "")); err != nil || again.ID != p.ID {
		t.Errorf("without a key: %+v %v", again, err)
	}
	if _, err := s.Capture(t.Context(), s.license, p.ID, ada); !errors.Is(err, ErrNotApproved) {
		t.Errorf("before approval: %v", err)
	}
	s.paypal.Approve(s.order(p))
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if got, err := s.Capture(t.Context(), s.license, p.ID, ada); err != nil || got.Status != Completed {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	wg.Wait()
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Capturing, Pending, Capturing, Completed}) || !s.owns("loot") {
		t.Errorf("transactions led to %v", got)
	}
	if back, err := s.Refund(t.Context(), s.license, p.ID, "", ada); err != nil || back.Status != Refunded {
		t.Errorf("%+v %v", back, err)
	}
	if orders, captures, refunds := s.paypal.Counts(); orders != 1 || captures != 1 || refunds != 1 {
		t.Errorf("%d orders, %d captures, %d refunds", orders, captures, refunds)
	}
}

// approved is a purchase that the buyer has agreed to.
func (s *shop) approved() Purchase {
	s.t.Helper()
	p := s.buy("loot")
	s.paypal.Approve(s.order(p))
	return p
}

func TestPayPalDeclinedThenPaid(t *testing.T) {
	s := open(t, true)
	p := s.approved()
	s.paypal.Fail("/capture", paypaltest.Declined)
	if _, err := s.Capture(t.Context(), s.license, p.ID, ada); !errors.Is(err, ErrDeclined) {
		t.Fatal(err)
	}
	if shown, err := s.Show(t.Context(), s.license, p.ID); err != nil || shown.Status != Pending || shown.ApproveURL == nil || shown.Error == nil {
		t.Errorf("%+v %v", shown, err)
	}
	s.paypal.Approve(s.order(p))
	if got, err := s.Capture(t.Context(), s.license, p.ID, ada); err != nil || got.Status != Completed || got.Error != nil {
		t.Errorf("%+v %v", got, err)
	}
}

// PayPal takes the money and says nothing: the purchase says that it is not known, and Run finds out. No money is taken
// twice.
func TestPayPalSilence(t *testing.T) {
	for _, fault := range []paypaltest.Fault{paypaltest.Silent, paypaltest.Status500, paypaltest.Garbled} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			s := open(t, true)
			p := s.approved()
			for range 2 {
				s.paypal.Fail("/capture", fault)
			}
			if _, err := s.Capture(t.Context(), s.license, p.ID, ada); !errors.Is(err, ErrGateway) {
				t.Fatal(err)
			}
			if shown, err := s.Show(t.Context(), s.license, p.ID); err != nil || shown.Status != Capturing || s.owns("loot") {
				t.Errorf("%+v %v", shown, err)
			}
			if _, err := s.Buy(t.Context(), s.ask("loot", "")); !errors.Is(err, ErrUnsettled) {
				t.Errorf("a second purchase: %v", err)
			}
			s.settleAfter(t, 2*time.Minute, 1)
			if !s.owns("loot") {
				t.Error("Run did not find out")
			}
			if _, captures, _ := s.paypal.Counts(); captures != 1 {
				t.Errorf("%d captures", captures)
			}
		})
	}
}

func (s *shop) settleAfter(t *testing.T, d time.Duration, want int) {
	t.Helper()
	s.pass(d)
	if n, err := s.SettleOnce(t.Context()); err != nil || n != want {
		t.Errorf("settled %d, %v", n, err)
	}
}

func TestPayPalOrderIsNotPlaced(t *testing.T) {
	s := open(t, true)
	for range 2 {
		s.paypal.Fail("/orders", paypaltest.Silent)
	}
	if _, err := s.Buy(t.Context(), s.ask("loot", "k")); !errors.Is(err, ErrGateway) {
		t.Fatal(err)
	}
	p, err := s.Buy(t.Context(), s.ask("loot", "k")) // the same order, for it has the same key
	if err != nil || p.ApproveURL == nil {
		t.Fatal(p, err)
	}
	if orders, _, _ := s.paypal.Counts(); orders != 1 {
		t.Errorf("%d orders", orders)
	}
}

func TestPayPalRefundSilence(t *testing.T) {
	s := open(t, true)
	p := s.approved()
	if _, err := s.Capture(t.Context(), s.license, p.ID, ada); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.paypal.Fail("/refund", paypaltest.Silent)
	}
	if _, err := s.Refund(t.Context(), s.license, p.ID, "", ada); !errors.Is(err, ErrGateway) {
		t.Fatal(err)
	}
	if s.owns("loot") {
		t.Error("a module that is being given back is owned")
	}
	s.settleAfter(t, 2*time.Minute, 1)
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Capturing, Completed, Refunding, Refunded}) {
		t.Errorf("transactions led to %v", got)
	}
	if _, _, refunds := s.paypal.Counts(); refunds != 1 {
		t.Errorf("%d refunds", refunds)
	}
}

func TestPayPalExpires(t *testing.T) {
	s := open(t, true)
	never := s.buy("loot")
	s.settleAfter(t, 4*time.Hour, 1)
	if got := s.states(never); !slices.Equal(got, []Status{Pending, Cancelled}) {
		t.Errorf("transactions led to %v", got)
	}
	if p := s.buy("loot"); p.ID == never.ID {
		t.Error("a cancelled purchase was gone on with")
	}
}

func TestCancel(t *testing.T) {
	s := open(t, true)
	p := s.buy("loot")
	for range 2 {
		if err := s.Cancel(t.Context(), s.license, p.ID, ada); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Capture(t.Context(), s.license, p.ID, ada); !errors.Is(err, ErrMove) {
		t.Errorf("capture what is cancelled: %v", err)
	}
}

// hear has the service hear an event.
func (s *shop) hear(id, kind, order string, how paypaltest.Signing) error {
	s.t.Helper()
	message := s.paypal.Sign(s.paypal.Event(id, kind, order), how)
	return s.Heard(s.t.Context(), message.Get, message.Body)
}

func TestWebhookCompletesAndRefunds(t *testing.T) {
	s := open(t, true)
	p := s.approved()
	order := s.order(p)
	if err := s.hear("E1", "CHECKOUT.ORDER.APPROVED", order, paypaltest.Signing{Stranger: true}); !errors.Is(err, payment.ErrForged) {
		t.Fatalf("forged: %v", err)
	}
	for range 3 { // the same event, and others that say what is known
		if err := s.hear("E1", "CHECKOUT.ORDER.APPROVED", order, paypaltest.Signing{}); err != nil {
			t.Fatal(err)
		}
	}
	if !s.owns("loot") {
		t.Fatal("an approved order was not captured")
	}
	for _, id := range []string{"E2", "E2", "E3"} {
		if err := s.hear(id, "PAYMENT.CAPTURE.COMPLETED", order, paypaltest.Signing{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Capturing, Completed}) {
		t.Errorf("transactions led to %v", got)
	}
	if err := s.hear("E4", "PAYMENT.CAPTURE.REFUNDED", order, paypaltest.Signing{Age: 100 * time.Hour}); !errors.Is(err, payment.ErrForged) {
		t.Errorf("old: %v", err)
	}
	for range 2 {
		if err := s.hear("E4", "PAYMENT.CAPTURE.REFUNDED", order, paypaltest.Signing{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.states(p); !slices.Equal(got, []Status{Pending, Capturing, Completed, Refunded}) || s.owns("loot") {
		t.Errorf("transactions led to %v", got)
	}
	// A replay of what was true once does not bring the module back.
	if err := s.hear("E2", "PAYMENT.CAPTURE.COMPLETED", order, paypaltest.Signing{}); err != nil || s.owns("loot") {
		t.Errorf("replayed: %v", err)
	}
	if err := s.hear("E9", "PAYMENT.CAPTURE.COMPLETED", order, paypaltest.Signing{}); err != nil || s.owns("loot") {
		t.Errorf("late: %v", err)
	}
}

// A capture that waits is settled by the event that says how it ended, whichever way.
func TestWebhookSettlesPending(t *testing.T) {
	for ok, want := range map[bool][]Status{true: {Pending, Capturing, Completed}, false: {Pending, Capturing, Failed}} {
		s := open(t, true)
		p := s.approved()
		s.paypal.Fail("/capture", paypaltest.Pending)
		if got, err := s.Capture(t.Context(), s.license, p.ID, ada); err != nil || got.Status != Capturing {
			t.Fatalf("%+v %v", got, err)
		}
		s.paypal.Finish(s.order(p), ok)
		kind := map[bool]string{true: "PAYMENT.CAPTURE.COMPLETED", false: "PAYMENT.CAPTURE.DENIED"}[ok]
		if err := s.hear("E1", kind, s.order(p), paypaltest.Signing{}); err != nil {
			t.Fatal(err)
		}
		if got := s.states(p); !slices.Equal(got, want) {
			t.Errorf("transactions led to %v, want %v", got, want)
		}
	}
}

// What was taken must be what was agreed.
func TestWebhookWithAnotherAmount(t *testing.T) {
	s := open(t, true)
	p := s.approved()
	event := s.paypal.Event("E1", "PAYMENT.CAPTURE.COMPLETED", s.order(p))
	resource := event["resource"].(map[string]any)
	resource["id"], resource["amount"] = "CAP1", map[string]any{"currency_code": "USD", "value": "0.01"}
	message := s.paypal.Sign(event, paypaltest.Signing{})
	if err := s.Heard(t.Context(), message.Get, message.Body); err != nil || s.owns("loot") {
		t.Errorf("one cent: %v", err)
	}
	if got := s.states(p); got[len(got)-1] != Failed {
		t.Errorf("transactions led to %v", got)
	}
}

func TestRunStops(t *testing.T) {
	s := open(t, false)
	done := make(chan struct{})
	ctx := t.Context()
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { <-done }) // the test's context ends before its cleanups
}
