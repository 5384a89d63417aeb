package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/payment"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Listens tells whether provider messages are taken.
func (s *Service) Listens() bool { return s.deps.Webhook != nil }

// Heard takes a message of the provider. One that was taken before changes nothing; what it tells is written together with
// the note that it was taken. It fails with payment.ErrForged, or otherwise so that the provider should send it again.
func (s *Service) Heard(ctx context.Context, header payment.Headers, body []byte) error {
	if s.deps.Webhook == nil {
		return ErrUnknown
	}
	event, err := s.deps.Webhook.Read(ctx, header, body)
	if err != nil {
		return err
	}
	approved := uuid.Nil
	err = s.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		approved = uuid.Nil
		row, known, err := s.purchaseOfEvent(ctx, q, event)
		if err != nil {
			return err
		}
		note := pg.AddPaymentEventParams{Gateway: s.deps.Gateway.Name(), EventID: event.ID, EventType: audit.Clip(event.Type, 128), Now: s.deps.Now()}
		if known {
			note.PurchaseID = &row.ID
		}
		fresh, err := q.AddPaymentEvent(ctx, note)
		if err != nil || fresh == 0 || !known {
			return store.Wrap("note event", err)
		}
		if event.Kind == payment.OrderApproved && Status(row.Status) == Pending {
			approved = row.ID
			return nil
		}
		return s.apply(ctx, q, row, event)
	})
	if err != nil || approved == uuid.Nil {
		return err
	}
	return s.heardApproval(ctx, approved)
}

// heardApproval takes the money that the buyer has agreed to. Were this to die before, the buyer's own return or another
// message would do it; silence of the provider is Run's.
func (s *Service) heardApproval(ctx context.Context, id uuid.UUID) error {
	_, err := s.capture(ctx, id, system(s.deps.Gateway.Name()))
	if err != nil {
		s.deps.Logger.Warn("an approved payment was not captured", "purchase", id, "error", err)
	}
	for _, outcome := range []error{ErrNotApproved, ErrDeclined, ErrRefused, ErrMove, ErrGateway} {
		if errors.Is(err, outcome) {
			return nil
		}
	}
	return err
}

// purchaseOfEvent locks the purchase that an event is about. One that names a purchase of ours must name its order or
// capture, too, where it names any.
func (s *Service) purchaseOfEvent(ctx context.Context, q *pg.Queries, e payment.Event) (row pg.ModulePurchase, known bool, err error) {
	id := e.Purchase
	if id == uuid.Nil && e.Order != "" {
		found, err := q.FindPurchaseByOrder(ctx, pg.FindPurchaseByOrderParams{Gateway: s.deps.Gateway.Name(), GatewayOrder: e.Order})
		if err != nil && !store.Missing(err) {
			return row, false, fmt.Errorf("look for the order: %w", err)
		}
		id = found.ID
	}
	if id == uuid.Nil {
		return row, false, nil
	}
	row, err = q.LockPurchase(ctx, id)
	switch {
	case store.Missing(err):
		return row, false, nil
	case err != nil:
		return row, false, fmt.Errorf("read purchase: %w", err)
	case row.Gateway != s.deps.Gateway.Name():
		return row, false, nil
	case e.Order != "" && (row.GatewayOrder == nil || *row.GatewayOrder != e.Order),
		e.Capture != "" && row.GatewayCapture != nil && *row.GatewayCapture != e.Capture:
		s.deps.Logger.Warn("a message of the payment provider does not fit its purchase", "purchase", row.ID, "event", e.ID, "type", e.Type)
		return row, false, nil
	}
	return row, true, nil
}

// apply writes what an event tells. Events come in any order: one that is behind the purchase changes nothing.
func (s *Service) apply(ctx context.Context, q *pg.Queries, row pg.ModulePurchase, e payment.Event) error {
	by := system(row.Gateway)
	result := payment.Result{ID: e.Capture, Amount: e.Amount, Currency: e.Currency, Purchase: row.ID, Detail: e.Type}
	switch e.Kind {
	case payment.MoneyTaken:
		result.State = payment.Done
		_, err := s.captured(ctx, q, row, result, by)
		return err
	case payment.MoneyRefused:
		if Status(row.Status) != Capturing && Status(row.Status) != Pending {
			return nil
		}
		result.State = payment.Failed
		_, err := s.captured(ctx, q, row, result, by)
		return err
	case payment.OrderReversed:
		if Status(row.Status) != Pending {
			return nil
		}
		_, _, err := s.move(ctx, q, row, step{to: Cancelled, reference: e.Reference, reason: e.Type, by: by})
		return err
	case payment.MoneyReturned:
		if !Allowed(Status(row.Status), Refunded) {
			return nil
		}
		if e.Currency != row.Currency || e.Amount.LessThan(row.Amount) {
			s.deps.Logger.Warn("a part of a payment was given back; the module stays", "purchase", row.ID, "amount", e.Amount, "currency", e.Currency)
			return nil
		}
		_, _, err := s.move(ctx, q, row, step{to: Refunded, reference: e.Reference, reason: e.Type, by: by})
		return err
	}
	return nil
}
