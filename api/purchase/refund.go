package purchase

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/payment"
	"corrosion/schema/pg"
)

// Refund gives the money of a license's purchase back, and with it the module, within Config.RefundWindow. It fails with
// ErrUnknown, ErrMove, ErrTooLate, ErrRefused or ErrGateway.
func (s *Service) Refund(ctx context.Context, license, id uuid.UUID, reason string, by audit.Event) (Purchase, error) {
	row, err := s.find(ctx, license, id)
	if err != nil {
		return Purchase{}, err
	}
	if row.CompletedAt != nil && s.deps.Now().Sub(*row.CompletedAt) > s.cfg.RefundWindow && Status(row.Status) == Completed {
		return Purchase{}, ErrTooLate
	}
	return s.refund(ctx, id, reason, by)
}

// RefundAny does it for an administrator of the platform: of any license, at any time.
func (s *Service) RefundAny(ctx context.Context, id uuid.UUID, reason string, by audit.Event) (Purchase, error) {
	p, err := s.refund(ctx, id, reason, by)
	if err != nil {
		return p, err
	}
	return s.ShowAny(ctx, id)
}

func (s *Service) refund(ctx context.Context, id uuid.UUID, reason string, by audit.Event) (Purchase, error) {
	var row pg.ModulePurchase
	var key uuid.UUID
	err := s.settle(ctx, id, func(q *pg.Queries, found pg.ModulePurchase) (err error) {
		row = found
		switch Status(row.Status) {
		case Refunded:
			return nil
		case Refunding:
			last, err := q.LastModuleTransaction(ctx, row.ID)
			key = last.ID
			return err
		case Completed:
			row, key, err = s.move(ctx, q, row, step{to: Refunding, reason: reason, by: by})
			return err
		}
		return ErrMove
	})
	if err != nil {
		return Purchase{}, err
	}
	if Status(row.Status) == Refunded {
		return s.Show(ctx, row.LicenseID, row.ID)
	}
	return s.finishRefund(ctx, row, key, by)
}

// finishRefund asks the provider and writes what it says.
func (s *Service) finishRefund(ctx context.Context, row pg.ModulePurchase, key uuid.UUID, by audit.Event) (Purchase, error) {
	gateway, err := s.gateway(row.Gateway)
	if err != nil {
		return Purchase{}, err
	}
	capture := ""
	if row.GatewayCapture != nil {
		capture = *row.GatewayCapture
	}
	result, cause := gateway.Refund(ctx, capture, row.Amount, row.Currency, key)
	cause = fault(cause)
	written, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err = s.settle(written, row.ID, func(q *pg.Queries, row pg.ModulePurchase) error {
		if Status(row.Status) != Refunding {
			return nil // somebody else has written it
		}
		touch := pg.TouchPurchaseParams{ID: row.ID, Now: s.deps.Now()}
		switch {
		case isUncertain(cause):
			touch.Error = audit.Clip(cause.Error(), maxReason)
			return q.TouchPurchase(written, touch)
		case cause == nil && result.State == payment.Waiting:
			touch.Error = audit.Clip("the refund waits: "+result.Detail, maxReason)
			return q.TouchPurchase(written, touch)
		case cause != nil || result.State == payment.Failed:
			if cause == nil {
				cause = ErrRefused
			}
			_, _, err := s.move(written, q, row, step{to: Completed, reference: result.ID, reason: "the refund failed: " + cause.Error(), by: system(row.Gateway)})
			return err
		}
		_, _, err := s.move(written, q, row, step{to: Refunded, reference: result.ID, by: by})
		return err
	})
	if err = errors.Join(err, cause); err != nil {
		return Purchase{}, err
	}
	return s.Show(written, row.LicenseID, row.ID)
}
