package purchase

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"corrosion/api/audit"
	"corrosion/api/payment"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Request asks for a module.
type Request struct {
	License uuid.UUID
	Module  string
	// Key is the Idempotency-Key; empty = none.
	Key string
	// Expected is the price that the buyer has seen; nil = any.
	Expected *Expected
	By       audit.Event
}

// Expected is a price.
type Expected struct {
	Amount   decimal.Decimal
	Currency string
}

// digest tells requests of one key apart.
func (r Request) digest() []byte {
	text := "buy\x00" + r.Module
	if r.Expected != nil {
		text += "\x00" + r.Expected.Amount.StringFixed(2) + "\x00" + r.Expected.Currency
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Buy makes a purchase, or goes on with one that is pending. It is completed where nobody need agree; otherwise the buyer
// agrees at ApproveURL, and Capture or the provider's own message completes it. It fails with ErrUnknown, ErrOwned,
// ErrUnsettled, ErrPrice, ErrKeyReused, ErrRefused or ErrGateway.
func (s *Service) Buy(ctx context.Context, r Request) (Purchase, error) {
	var bought Purchase
	var row pg.ModulePurchase
	var begun uuid.UUID
	err := s.deps.Store.Tx(ctx, func(q *pg.Queries) (err error) {
		// One purchase of a license at a time: what others are doing is over once the lock is held.
		if err := q.LockThing(ctx, "purchases of "+r.License.String()); err != nil {
			return fmt.Errorf("wait for other purchases: %w", err)
		}
		row, begun, bought, err = s.record(ctx, q, r)
		return err
	})
	if store.Taken(err) {
		return Purchase{}, ErrOwned
	}
	if err != nil || bought.ID != uuid.Nil {
		return bought, err
	}
	return s.place(ctx, row, begun)
}

// record makes the purchase's row, or finds it. A purchase comes back where there is an answer; otherwise the provider is
// yet to be asked for an order, under the key begun.
func (s *Service) record(ctx context.Context, q *pg.Queries, r Request) (row pg.ModulePurchase, begun uuid.UUID, answer Purchase, err error) {
	if r.Key != "" {
		row, err = q.FindPurchaseByKey(ctx, pg.FindPurchaseByKeyParams{LicenseID: r.License, IdempotencyKey: r.Key})
		if err == nil {
			return s.repeat(ctx, q, row, r)
		}
		if !store.Missing(err) {
			return row, begun, answer, fmt.Errorf("look for the key: %w", err)
		}
	}
	row, err = q.FindOpenPurchase(ctx, pg.FindOpenPurchaseParams{LicenseID: r.License, Module: r.Module})
	if err == nil {
		return s.goOn(ctx, q, row)
	}
	if !store.Missing(err) {
		return row, begun, answer, fmt.Errorf("look for a purchase: %w", err)
	}
	m, err := q.FindModule(ctx, r.Module)
	if store.Missing(err) || err == nil && m.Status != "published" {
		return row, begun, answer, ErrUnknown
	}
	if err != nil {
		return row, begun, answer, fmt.Errorf("read module: %w", err)
	}
	if e := r.Expected; e != nil && (!e.Amount.Equal(m.Price) || e.Currency != m.Currency) {
		return row, begun, answer, ErrPrice
	}
	return s.begin(ctx, q, r, m)
}

// repeat answers a request whose key was used before.
func (s *Service) repeat(ctx context.Context, q *pg.Queries, row pg.ModulePurchase, r Request) (pg.ModulePurchase, uuid.UUID, Purchase, error) {
	var answer Purchase
	if string(row.RequestSha256) != string(r.digest()) {
		return row, uuid.Nil, answer, ErrKeyReused
	}
	if row.Answer == nil {
		return s.goOn(ctx, q, row)
	}
	if err := json.Unmarshal(row.Answer, &answer); err != nil {
		return row, uuid.Nil, answer, fmt.Errorf("read the stored answer: %w", err)
	}
	return row, uuid.Nil, answer, nil
}

// goOn gives a pending purchase that waits for the buyer, or for its order to be placed.
func (s *Service) goOn(ctx context.Context, q *pg.Queries, row pg.ModulePurchase) (pg.ModulePurchase, uuid.UUID, Purchase, error) {
	expired := row.ExpiresAt != nil && row.ExpiresAt.Before(s.deps.Now())
	switch Status(row.Status) {
	case Completed:
		return row, uuid.Nil, Purchase{}, ErrOwned
	case Pending:
		if expired { // Run is about to find out what became of it
			return row, uuid.Nil, Purchase{}, ErrUnsettled
		}
	case Failed, Cancelled:
		return row, uuid.Nil, Purchase{}, fmt.Errorf("%w: %s", ErrRefused, row.Error)
	default:
		return row, uuid.Nil, Purchase{}, ErrUnsettled
	}
	last, err := q.LastModuleTransaction(ctx, row.ID)
	if err != nil {
		return row, uuid.Nil, Purchase{}, fmt.Errorf("read the last transaction: %w", err)
	}
	if row.GatewayOrder == nil {
		return row, last.ID, Purchase{}, nil
	}
	return row, last.ID, purchaseOf(row, last.ID), nil
}

// begin makes a new purchase, and completes it where nobody need be asked.
func (s *Service) begin(ctx context.Context, q *pg.Queries, r Request, m pg.Module) (row pg.ModulePurchase, begun uuid.UUID, answer Purchase, err error) {
	name, gateway := freeGateway, payment.Gateway(payment.Instant{})
	if m.Price.IsPositive() {
		gateway = s.deps.Gateway
		name = gateway.Name()
	}
	if r.By, err = audit.Named(ctx, q, r.By); err != nil {
		return row, begun, answer, err
	}
	now := s.deps.Now()
	params := pg.CreatePurchaseParams{
		ID: uuid.Must(uuid.NewV7()), LicenseID: r.License, Module: m.Slug, Amount: m.Price, Currency: m.Currency, Gateway: name,
		BuyerID: r.By.ActorID, Buyer: audit.Clip(r.By.Actor, audit.MaxActor), Now: now,
	}
	if r.Key != "" {
		params.IdempotencyKey, params.RequestSha256 = &r.Key, r.digest()
	}
	if !gateway.Immediate() {
		expires := now.Add(s.cfg.OrderLife)
		params.ExpiresAt = &expires
	}
	if row, err = q.CreatePurchase(ctx, params); err != nil {
		return row, begun, answer, fmt.Errorf("store purchase: %w", err)
	}
	if begun, err = s.log(ctx, q, row, nil, step{to: Pending, by: r.By}, now); err != nil || !gateway.Immediate() {
		return row, begun, answer, err
	}
	result, err := gateway.Capture(ctx, row.ID.String(), begun)
	if err != nil {
		return row, begun, answer, fault(err)
	}
	row, last, err := s.move(ctx, q, row, step{to: Completed, reference: result.ID, capture: result.ID, by: r.By})
	if err != nil {
		return row, begun, answer, fmt.Errorf("complete purchase: %w", err)
	}
	answer = purchaseOf(row, last)
	return row, begun, answer, s.keepAnswer(ctx, q, answer)
}

// keepAnswer stores what a request is answered, in the transaction that makes it true.
func (s *Service) keepAnswer(ctx context.Context, q *pg.Queries, answer Purchase) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return store.Wrap("store answer", q.SetPurchaseAnswer(ctx, pg.SetPurchaseAnswerParams{ID: answer.ID, Answer: text}))
}

// place has the provider make the order of a purchase. A refusal is the purchase's end.
func (s *Service) place(ctx context.Context, row pg.ModulePurchase, key uuid.UUID) (bought Purchase, err error) {
	gateway, err := s.gateway(row.Gateway)
	if err != nil {
		return bought, err
	}
	placed, err := gateway.Place(ctx, payment.Order{
		Purchase: row.ID, Key: key, Amount: row.Amount, Currency: row.Currency, Description: "Module " + row.Module,
		ReturnURL: s.returnURL(row.ID, "approved"), CancelURL: s.returnURL(row.ID, "cancelled"),
	})
	if err != nil {
		return bought, s.notPlaced(ctx, row, fault(err))
	}
	err = s.settle(ctx, row.ID, func(q *pg.Queries, row pg.ModulePurchase) error {
		expires := placed.Expires
		params := pg.SetPurchaseOrderParams{ID: row.ID, GatewayOrder: placed.ID, ApproveUrl: &placed.ApproveURL, ExpiresAt: &expires, Now: s.deps.Now()}
		after, err := q.SetPurchaseOrder(ctx, params)
		if store.Missing(err) { // another request was faster, with the same key and so with the same order
			after = row
		} else if err != nil {
			return fmt.Errorf("store order: %w", err)
		}
		bought = purchaseOf(after, key)
		return s.keepAnswer(ctx, q, bought)
	})
	return bought, err
}

// notPlaced notes why there is no order: a refusal ends the purchase, silence leaves it pending for another try.
func (s *Service) notPlaced(ctx context.Context, row pg.ModulePurchase, cause error) error {
	// The asker may be gone by now, which must not keep the outcome from being written.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := s.settle(ctx, row.ID, func(q *pg.Queries, row pg.ModulePurchase) error {
		if isUncertain(cause) || Status(row.Status) != Pending {
			return nil
		}
		_, _, err := s.move(ctx, q, row, step{to: Failed, reason: cause.Error(), by: system(row.Gateway)})
		return err
	})
	if err != nil {
		s.deps.Logger.Error("the outcome of a payment order was not written", "purchase", row.ID, "error", err)
	}
	return cause
}

// writeTimeout bounds how long the outcome of an act may take to be written.
const writeTimeout = 10 * time.Second

// system is the actor of what nobody asked for.
func system(gateway string) audit.Event { return audit.Event{Actor: "gateway " + gateway} }
