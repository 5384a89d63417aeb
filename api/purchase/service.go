package purchase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/audit"
	"corrosion/api/payment"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Config are the settings of purchases.
type Config struct {
	// RefundWindow is how long after a purchase its license may give the module back by itself.
	RefundWindow time.Duration
	// OrderLife is how long a pending purchase waits for the provider's order to be made.
	OrderLife time.Duration
	// Quiet is how long a purchase may wait for the provider before Run asks again; Poll is how often Run looks.
	Quiet, Poll time.Duration
	// PublicURL is where buyers come back to after they have agreed; it is followed by /modules and parameters.
	PublicURL string
}

// DefaultConfig gives two weeks for refunds, and looks twice a minute.
func DefaultConfig() Config {
	return Config{RefundWindow: 14 * 24 * time.Hour, OrderLife: time.Hour, Quiet: time.Minute, Poll: 30 * time.Second, PublicURL: "http://127.0.0.1:8080"}
}

// Deps are what a Service works with. Store and Gateway are required.
type Deps struct {
	Store *store.Store
	// Gateway takes the money of new purchases.
	Gateway payment.Gateway
	// Webhook reads what PayPal tells unasked; nil = nothing is listened to.
	Webhook *payment.Webhook
	// Registerer gets the service's metrics; nil = none are kept.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service sells modules. It is safe for concurrent use, also by several processes on one Postgres.
type Service struct {
	cfg   Config
	deps  Deps
	moves *prometheus.CounterVec
}

// New makes a Service; what stands in deps stays the caller's.
func New(cfg Config, deps Deps) (*Service, error) {
	if deps.Store == nil || deps.Gateway == nil {
		return nil, errors.New("purchases: Store and Gateway are required")
	}
	if cfg.RefundWindow < 0 || cfg.OrderLife <= 0 || cfg.Quiet <= 0 || cfg.Poll <= 0 || cfg.PublicURL == "" {
		return nil, errors.New("purchases: OrderLife, Quiet and Poll must be positive, RefundWindow not negative, and PublicURL is required")
	}
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Service{cfg: cfg, deps: deps, moves: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "corrosion_module_purchases_total", Help: "Changes of state of purchases, by payment gateway and new state.",
	}, []string{"gateway", "to"})}
	if deps.Registerer != nil {
		if err := deps.Registerer.Register(s.moves); err != nil {
			return nil, fmt.Errorf("purchases: %w", err)
		}
	}
	return s, nil
}

// freeGateway is the gateway of purchases that cost nothing.
const freeGateway = "free"

// gateway is the one that a purchase was made with; ErrGateway where it is not set up any more.
func (s *Service) gateway(name string) (payment.Gateway, error) {
	switch name {
	case freeGateway, payment.Instant{}.Name():
		return payment.Instant{}, nil
	case s.deps.Gateway.Name():
		return s.deps.Gateway, nil
	}
	return nil, fmt.Errorf("%w: %s is not set up", ErrGateway, name)
}

// step is a change of a purchase's state.
type step struct {
	to Status
	// id is the transaction's; made where it is uuid.Nil.
	id uuid.UUID
	// reference and reason go into the log; capture is kept with the purchase where it is not empty.
	reference, reason, capture string
	by                         audit.Event
}

// bounds of what is written, runes; they are the columns' own.
const (
	maxReference = 128
	maxReason    = 1000
)

// move changes a purchase's state and logs it; the caller holds the purchase's lock. It is the only way of a change.
func (s *Service) move(ctx context.Context, q *pg.Queries, row pg.ModulePurchase, st step) (pg.ModulePurchase, uuid.UUID, error) {
	if !Allowed(Status(row.Status), st.to) {
		return row, uuid.Nil, fmt.Errorf("from %s to %s: %w", row.Status, st.to, ErrMove)
	}
	from := row.Status
	now := s.deps.Now()
	params := pg.MovePurchaseParams{ID: row.ID, Status: string(st.to), Now: now}
	if st.capture != "" {
		params.GatewayCapture = &st.capture
	}
	if st.to != Completed && st.to != Refunded && st.to != Capturing && st.to != Refunding {
		params.Error = audit.Clip(st.reason, maxReason)
	}
	row, err := q.MovePurchase(ctx, params)
	if err != nil {
		return row, uuid.Nil, err
	}
	id, err := s.log(ctx, q, row, &from, st, now)
	return row, id, err
}

// log appends the transaction of a step, and the audit's entry.
func (s *Service) log(ctx context.Context, q *pg.Queries, row pg.ModulePurchase, from *string, st step, now time.Time) (uuid.UUID, error) {
	if st.id == uuid.Nil {
		st.id = uuid.Must(uuid.NewV7())
	}
	by, err := audit.Named(ctx, q, st.by)
	if err != nil {
		return uuid.Nil, err
	}
	_, err = q.AddModuleTransaction(ctx, pg.AddModuleTransactionParams{
		ID: st.id, PurchaseID: row.ID, LicenseID: row.LicenseID, FromStatus: from, ToStatus: row.Status, Amount: row.Amount, Currency: row.Currency,
		Gateway: row.Gateway, Reference: audit.Clip(st.reference, maxReference), Reason: audit.Clip(st.reason, maxReason),
		ActorID: by.ActorID, Actor: audit.Clip(by.Actor, audit.MaxActor), At: now,
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("log transaction: %w", err)
	}
	event := by
	event.Action, event.License, event.TargetKind, event.TargetID = "purchase."+row.Status, &row.LicenseID, "purchase", row.ID.String()
	event.Details = map[string]any{"module": row.Module, "amount": row.Amount.StringFixed(2), "currency": row.Currency, "gateway": row.Gateway}
	if err := audit.Write(ctx, q, now, event); err != nil {
		return uuid.Nil, err
	}
	s.moves.WithLabelValues(row.Gateway, row.Status).Inc()
	return st.id, nil
}

// settle runs do with a purchase that nobody else changes meanwhile.
func (s *Service) settle(ctx context.Context, id uuid.UUID, do func(*pg.Queries, pg.ModulePurchase) error) error {
	return s.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.LockPurchase(ctx, id)
		if store.Missing(err) {
			return ErrUnknown
		}
		if err != nil {
			return fmt.Errorf("read purchase: %w", err)
		}
		return do(q, row)
	})
}

// find reads a purchase of a license.
func (s *Service) find(ctx context.Context, license, id uuid.UUID) (pg.ModulePurchase, error) {
	row, err := s.deps.Store.Queries().FindPurchase(ctx, pg.FindPurchaseParams{LicenseID: license, ID: id})
	if store.Missing(err) {
		return row, ErrUnknown
	}
	return row, store.Wrap("read purchase", err)
}

// show is a purchase with its transactions.
func (s *Service) show(ctx context.Context, row pg.ModulePurchase) (Purchase, error) {
	rows, err := s.deps.Store.Queries().ListModuleTransactions(ctx, row.ID)
	if err != nil || len(rows) == 0 {
		return Purchase{}, fmt.Errorf("read transactions: %w", err)
	}
	p := purchaseOf(row, rows[len(rows)-1].ID)
	for _, t := range rows {
		p.Transactions = append(p.Transactions, transactionOf(t))
	}
	return p, nil
}

// returnURL is a page of the dashboard that names the purchase.
func (s *Service) returnURL(id uuid.UUID, outcome string) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/modules?purchase=" + id.String() + "&payment=" + outcome
}

// fault makes a gateway's errors ours.
func fault(err error) error {
	var refused *payment.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w", map[payment.Reason]error{
			payment.NotApproved: ErrNotApproved, payment.Declined: ErrDeclined, payment.Gone: ErrRefused, payment.Other: ErrRefused,
		}[refused.Reason], err)
	}
	return fmt.Errorf("%w: %w", ErrGateway, err)
}
