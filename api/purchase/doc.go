// Package purchase sells modules to licenses.
//
// A purchase is a row whose state is where its last transaction led. Transactions are only ever added; Postgres keeps to
// both. What the asker repeats under the same Idempotency-Key is answered as it was the first time, for the answer is
// stored in the transaction that made the purchase.
//
// The provider is asked outside of transactions: first the purchase says what is going to be asked (capturing, refunding),
// then it is asked, then the outcome is written. Whatever dies in between, Run asks again under the same key, which is the
// id of the transaction that said so.
package purchase

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"corrosion/api/payment"
	"corrosion/schema/pg"
)

// What can be wrong with a request.
var (
	// ErrUnknown says that the license has no such purchase, or that there is no such module on sale.
	ErrUnknown = errors.New("no such purchase or module")
	// ErrOwned says that the license owns the module.
	ErrOwned = errors.New("the license owns the module already")
	// ErrKeyReused says that an Idempotency-Key came with another request before.
	ErrKeyReused = errors.New("the idempotency key belongs to another request")
	// ErrPrice says that the price is not the one that the buyer expects.
	ErrPrice = errors.New("the price is another one")
	// ErrMove says that a purchase's state does not allow what is asked.
	ErrMove = errors.New("the purchase's state does not allow it")
	// ErrTooLate says that the time for giving a module back is over.
	ErrTooLate = errors.New("too late for a refund")
	// ErrNotApproved says that the buyer has not agreed to the payment yet.
	ErrNotApproved = errors.New("the payment is not approved yet")
	// ErrDeclined says that the buyer's means of payment did not pay.
	ErrDeclined = errors.New("the payment was declined")
	// ErrRefused says that the payment provider will not do it.
	ErrRefused = errors.New("the payment provider refuses")
	// ErrGateway says that the payment provider did not answer, or is not set up any more.
	ErrGateway = errors.New("the payment provider is away")
	// ErrUnsettled says that a purchase of the module waits for the provider.
	ErrUnsettled = errors.New("a purchase of the module is not settled yet")
	// ErrUnpaid says that there is no receipt for what was never paid.
	ErrUnpaid = errors.New("the purchase was never paid")
)

// Status is where a purchase stands.
type Status string

// The states. A license owns what is Completed.
const (
	Pending   Status = "pending"   // the buyer is to agree
	Capturing Status = "capturing" // the provider is taking the money
	Completed Status = "completed"
	Refunding Status = "refunding" // the provider is giving the money back
	Refunded  Status = "refunded"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// none is where a purchase that does not exist yet stands.
const none Status = ""

// Statuses are all of them.
func Statuses() []Status {
	return []Status{Pending, Capturing, Completed, Refunding, Refunded, Failed, Cancelled}
}

// next is the whole machine: where a purchase may go from each state. From Failed and Cancelled it comes back only when the
// provider proves that the money was taken after all.
func next(from Status) []Status {
	switch from {
	case none:
		return []Status{Pending}
	case Pending:
		return []Status{Capturing, Completed, Cancelled, Failed}
	case Capturing:
		return []Status{Completed, Pending, Failed, Cancelled}
	case Completed:
		return []Status{Refunding, Refunded}
	case Refunding:
		return []Status{Refunded, Completed}
	case Failed, Cancelled:
		return []Status{Completed}
	}
	return nil
}

// Allowed tells whether a purchase may go from one state to another.
func Allowed(from, to Status) bool { return slices.Contains(next(from), to) }

// Purchase is a purchase as the API shows it.
type Purchase struct {
	ID uuid.UUID `json:"purchase_id"`
	// Transaction is the newest of its transactions.
	Transaction uuid.UUID      `json:"transaction_id" doc:"The newest of its transactions"`
	Module      string         `json:"module"`
	Amount      payment.Amount `json:"amount" doc:"Decimal string; the price when it was bought"`
	Currency    string         `json:"currency"`
	Status      Status         `json:"status" enum:"pending,capturing,completed,refunding,refunded,failed,cancelled"`
	Gateway     string         `json:"gateway" enum:"free,instant,paypal"`
	ApproveURL  *string        `json:"approve_url" doc:"Where the buyer agrees, while the purchase is pending; null = nobody need"`
	Error       *string        `json:"error" doc:"Why it failed, or still waits"`
	Buyer       string         `json:"buyer" doc:"Who bought it"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	ExpiresAt   *time.Time     `json:"expires_at" doc:"Until when a pending one can be paid"`
	CompletedAt *time.Time     `json:"completed_at"`
	RefundedAt  *time.Time     `json:"refunded_at"`
	// Transactions are given with one purchase alone, the oldest first.
	Transactions []Transaction `json:"transactions,omitempty"`
	// License is given to administrators of the platform alone.
	License *uuid.UUID `json:"license_id,omitempty"`
}

// Transaction is one change of a purchase's state.
type Transaction struct {
	ID        uuid.UUID      `json:"transaction_id"`
	From      *Status        `json:"from" doc:"null = the purchase began with it"`
	To        Status         `json:"to"`
	Amount    payment.Amount `json:"amount"`
	Currency  string         `json:"currency"`
	Gateway   string         `json:"gateway"`
	Reference string         `json:"reference" doc:"The payment provider's name of it"`
	Reason    string         `json:"reason"`
	Actor     string         `json:"actor"`
	At        time.Time      `json:"at"`
}

// purchaseOf makes a purchase of its row and the id of its newest transaction.
func purchaseOf(row pg.ModulePurchase, transaction uuid.UUID) Purchase {
	p := Purchase{
		ID: row.ID, Transaction: transaction, Module: row.Module, Amount: payment.Amount{Decimal: row.Amount}, Currency: row.Currency,
		Status: Status(row.Status), Gateway: row.Gateway, Buyer: row.Buyer, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
		CompletedAt: utc(row.CompletedAt), RefundedAt: utc(row.RefundedAt),
	}
	if row.Error != "" {
		p.Error = &row.Error
	}
	if p.Status == Pending {
		p.ApproveURL, p.ExpiresAt = row.ApproveUrl, utc(row.ExpiresAt)
	}
	return p
}

func transactionOf(row pg.ModuleTransaction) Transaction {
	t := Transaction{
		ID: row.ID, To: Status(row.ToStatus), Amount: payment.Amount{Decimal: row.Amount}, Currency: row.Currency, Gateway: row.Gateway,
		Reference: row.Reference, Reason: row.Reason, Actor: row.Actor, At: row.At.UTC(),
	}
	if row.FromStatus != nil {
		from := Status(*row.FromStatus)
		t.From = &from
	}
	return t
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	in := t.UTC()
	return &in
}
