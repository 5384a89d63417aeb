package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corrosion/api/payment"
	"corrosion/schema/pause"
	"corrosion/schema/pg"
)

const (
	// mostWaiting bounds the purchases that are looked at in one go.
	mostWaiting = 50
	// longestPause bounds the pause after faults in a row.
	longestPause = 10 * time.Minute
	// eventLife is how long events are remembered: longer than any message counts.
	eventLife = 30 * 24 * time.Hour
)

// Run settles what waits, until ctx ends: purchases whose asker died or whose provider did not answer.
func (s *Service) Run(ctx context.Context) {
	for wait := s.cfg.Poll; ; {
		if !pause.For(ctx, wait) {
			return
		}
		_, err := s.SettleOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(2*wait, longestPause)
			s.deps.Logger.Error("purchases that wait were not settled; trying again", "after", wait, "error", err)
		default:
			wait = s.cfg.Poll
		}
	}
}

// SettleOnce looks at every purchase that waits once, and gives how many there were.
func (s *Service) SettleOnce(ctx context.Context) (int, error) {
	now := s.deps.Now()
	q := s.deps.Store.Queries()
	if _, err := q.ForgetPaymentEvents(ctx, now.Add(-eventLife)); err != nil {
		return 0, fmt.Errorf("forget old events: %w", err)
	}
	rows, err := q.WaitingPurchases(ctx, pg.WaitingPurchasesParams{Now: now, QuietSince: now.Add(-s.cfg.Quiet), Most: mostWaiting})
	if err != nil {
		return 0, fmt.Errorf("look for purchases that wait: %w", err)
	}
	var faults []error
	for _, row := range rows {
		if err := s.settleWaiting(ctx, row); err != nil {
			faults = append(faults, fmt.Errorf("purchase %s, %s: %w", row.ID, row.Status, err))
		}
	}
	return len(rows), errors.Join(faults...)
}

// settleWaiting goes on with one purchase. What its provider says about it is an outcome and no fault; its silence is one.
func (s *Service) settleWaiting(ctx context.Context, row pg.ModulePurchase) (err error) {
	switch Status(row.Status) {
	case Capturing:
		_, err = s.capture(ctx, row.ID, system(row.Gateway))
	case Refunding:
		_, err = s.refund(ctx, row.ID, "", system(row.Gateway))
	case Pending:
		err = s.expire(ctx, row)
	}
	for _, outcome := range []error{ErrNotApproved, ErrDeclined, ErrRefused, ErrMove} {
		if errors.Is(err, outcome) {
			return nil
		}
	}
	return err
}

// expire ends a purchase whose time is over, unless it turns out to be paid.
func (s *Service) expire(ctx context.Context, row pg.ModulePurchase) error {
	var result payment.Result
	if row.GatewayOrder != nil {
		gateway, err := s.gateway(row.Gateway)
		if err != nil {
			return err
		}
		result, err = gateway.Captured(ctx, *row.GatewayOrder)
		var refused *payment.Refusal
		if err != nil && !errors.As(err, &refused) {
			return fault(err)
		}
	}
	return s.settle(ctx, row.ID, func(q *pg.Queries, row pg.ModulePurchase) error {
		if Status(row.Status) != Pending {
			return nil
		}
		if result.State == payment.Done && result.ID != "" {
			_, err := s.captured(ctx, q, row, result, system(row.Gateway))
			return err
		}
		_, _, err := s.move(ctx, q, row, step{to: Cancelled, reason: "the time to pay is over", by: system(row.Gateway)})
		return err
	})
}
