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

// Capture takes the money of a purchase that the buyer has agreed to. One that is completed is given as it is. It fails
// with ErrUnknown, ErrMove, ErrNotApproved, ErrDeclined (the buyer may agree again, with other means), ErrRefused, or
// ErrGateway: then Run finds out what became of it.
func (s *Service) Capture(ctx context.Context, license, id uuid.UUID, by audit.Event) (Purchase, error) {
	if _, err := s.find(ctx, license, id); err != nil {
		return Purchase{}, err
	}
	return s.capture(ctx, id, by)
}

func (s *Service) capture(ctx context.Context, id uuid.UUID, by audit.Event) (Purchase, error) {
	var row pg.ModulePurchase
	var key uuid.UUID
	err := s.settle(ctx, id, func(q *pg.Queries, found pg.ModulePurchase) (err error) {
		row = found
		switch Status(row.Status) {
		case Completed:
			return nil
		case Capturing: // somebody died while asking, or is asking: the same key does no harm
			last, err := q.LastModuleTransaction(ctx, row.ID)
			key = last.ID
			return err
		case Pending:
			if row.GatewayOrder == nil {
				return ErrNotApproved
			}
			row, key, err = s.move(ctx, q, row, step{to: Capturing, reference: *row.GatewayOrder, by: by})
			return err
		}
		return ErrMove
	})
	if err != nil {
		return Purchase{}, err
	}
	if Status(row.Status) == Completed {
		return s.Show(ctx, row.LicenseID, row.ID)
	}
	return s.finishCapture(ctx, row, key, by)
}

// finishCapture asks the provider and writes what it says.
func (s *Service) finishCapture(ctx context.Context, row pg.ModulePurchase, key uuid.UUID, by audit.Event) (Purchase, error) {
	gateway, err := s.gateway(row.Gateway)
	if err != nil {
		return Purchase{}, err
	}
	result, err := gateway.Capture(ctx, *row.GatewayOrder, key)
	written, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err != nil {
		return Purchase{}, s.notCaptured(written, row, fault(err))
	}
	var cause error
	err = s.settle(written, row.ID, func(q *pg.Queries, now pg.ModulePurchase) (err error) {
		cause, err = s.captured(written, q, now, result, by)
		return err
	})
	if err = errors.Join(err, cause); err != nil {
		return Purchase{}, err
	}
	return s.Show(written, row.LicenseID, row.ID)
}

// captured writes what became of a capture; cause is what the asker is told where it is no success. A purchase that has
// gone on meanwhile stays as it is.
func (s *Service) captured(ctx context.Context, q *pg.Queries, row pg.ModulePurchase, r payment.Result, by audit.Event) (cause, err error) {
	switch Status(row.Status) {
	case Completed, Refunding, Refunded:
		return nil, nil
	}
	switch {
	case r.State == payment.Waiting:
		return nil, q.TouchPurchase(ctx, pg.TouchPurchaseParams{ID: row.ID, Error: audit.Clip("the payment waits: "+r.Detail, maxReason), Now: s.deps.Now()})
	case r.State == payment.Failed:
		if Status(row.Status) == Failed || Status(row.Status) == Cancelled {
			return ErrDeclined, nil
		}
		_, _, err = s.move(ctx, q, row, step{to: Failed, reference: r.ID, reason: "the payment failed: " + r.Detail, by: by})
		return ErrDeclined, err
	}
	if wrong := mismatch(row, r); wrong != "" {
		// The money was taken for something else: nobody but the operator can say what that means.
		s.deps.Logger.Error("a payment does not fit its purchase: look at it with the payment provider", "purchase", row.ID, "capture", r.ID, "fault", wrong)
		if Status(row.Status) == Failed {
			return ErrRefused, nil
		}
		_, _, err = s.move(ctx, q, row, step{to: Failed, reference: r.ID, reason: wrong, capture: r.ID, by: by})
		return ErrRefused, err
	}
	if status := Status(row.Status); status == Failed || status == Cancelled {
		_, err := q.FindOpenPurchase(ctx, pg.FindOpenPurchaseParams{LicenseID: row.LicenseID, Module: row.Module})
		if err == nil {
			s.deps.Logger.Error("a module was paid twice: give one payment back with the payment provider", "purchase", row.ID, "capture", r.ID)
			return ErrMove, nil
		}
		if !store.Missing(err) {
			return nil, fmt.Errorf("look for another purchase: %w", err)
		}
	}
	_, _, err = s.move(ctx, q, row, step{to: Completed, reference: r.ID, capture: r.ID, by: by})
	return nil, err
}

// mismatch tells how what was taken differs from what was agreed.
func mismatch(row pg.ModulePurchase, r payment.Result) string {
	switch {
	case r.Purchase != row.ID:
		return fmt.Sprintf("capture %s names another purchase", r.ID)
	case !r.Amount.Equal(row.Amount), r.Currency != row.Currency:
		return fmt.Sprintf("capture %s took %s %s instead of %s %s", r.ID, r.Amount, r.Currency, row.Amount, row.Currency)
	}
	return ""
}

// notCaptured notes why no money was taken. What is uncertain stays capturing, for Run to find out.
func (s *Service) notCaptured(ctx context.Context, row pg.ModulePurchase, cause error) error {
	err := s.settle(ctx, row.ID, func(q *pg.Queries, row pg.ModulePurchase) error {
		if Status(row.Status) != Capturing {
			return nil
		}
		to := Failed
		switch {
		case isUncertain(cause):
			return q.TouchPurchase(ctx, pg.TouchPurchaseParams{ID: row.ID, Error: audit.Clip(cause.Error(), maxReason), Now: s.deps.Now()})
		case errors.Is(cause, ErrNotApproved), errors.Is(cause, ErrDeclined):
			to = Pending
		}
		_, _, err := s.move(ctx, q, row, step{to: to, reason: cause.Error(), by: system(row.Gateway)})
		return err
	})
	if err != nil {
		s.deps.Logger.Error("the outcome of a capture was not written", "purchase", row.ID, "error", err)
	}
	return cause
}

// isUncertain tells whether the provider may have done what it was asked.
func isUncertain(err error) bool { return errors.Is(err, ErrGateway) }

// Cancel ends a purchase that is pending. It fails with ErrUnknown or ErrMove.
func (s *Service) Cancel(ctx context.Context, license, id uuid.UUID, by audit.Event) error {
	if _, err := s.find(ctx, license, id); err != nil {
		return err
	}
	return s.settle(ctx, id, func(q *pg.Queries, row pg.ModulePurchase) error {
		switch Status(row.Status) {
		case Cancelled:
			return nil
		case Pending:
			_, _, err := s.move(ctx, q, row, step{to: Cancelled, reason: "cancelled by the buyer", by: by})
			return err
		}
		return ErrMove
	})
}
