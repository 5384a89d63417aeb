// Package payment takes money and gives it back. A Gateway knows one provider and nothing of modules; every call names
// the act with a key, so that repeating it changes nothing.
package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// ErrUncertain says that the provider did not answer, or not so that one could know what it did. The same call with the
// same key may be repeated.
var ErrUncertain = errors.New("the payment provider did not answer")

// Refusal says that the provider understood and did nothing.
type Refusal struct {
	Reason Reason
	// Detail is the provider's own word, for logs and for the log of transactions.
	Detail string
}

// Error names the reason and the provider's word.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the payment provider refuses: %s (%s)", r.Reason, r.Detail)
}

// Reason is why a provider refuses.
type Reason string

// The reasons.
const (
	// NotApproved: the buyer has not agreed yet.
	NotApproved Reason = "not approved"
	// Declined: the buyer's means of payment does not pay; another one may.
	Declined Reason = "declined"
	// Gone: the provider does not know the order any more.
	Gone Reason = "gone"
	// Other: nothing that the buyer could mend.
	Other Reason = "refused"
)

// Order is what is to be paid.
type Order struct {
	// Purchase names the order on our side; it comes back with everything that the provider says of it.
	Purchase uuid.UUID
	// Key names this act.
	Key         uuid.UUID
	Amount      decimal.Decimal
	Currency    string
	Description string
	// ReturnURL is where the buyer comes back to, CancelURL where without paying.
	ReturnURL, CancelURL string
}

// Placed is an order that the provider has.
type Placed struct {
	ID string
	// ApproveURL is where the buyer agrees; empty where nobody need be asked.
	ApproveURL string
	Expires    time.Time
}

// State is how far a payment or a refund has come.
type State int

// The states.
const (
	Waiting State = iota // the provider will tell
	Done
	Failed
)

// Result is what became of a capture or a refund.
type Result struct {
	State State
	// ID is the provider's name of it.
	ID       string
	Amount   decimal.Decimal
	Currency string
	Purchase uuid.UUID
	// Detail says why it waits or failed.
	Detail string
}

// Gateway is a payment provider. Errors are ErrUncertain, a *Refusal, or those of ctx.
type Gateway interface {
	Name() string
	// Immediate tells that Place, Capture and Refund do nothing but answer, so that they can be called within a transaction.
	Immediate() bool
	// Place makes an order.
	Place(context.Context, Order) (Placed, error)
	// Capture takes the money of an order that the buyer has agreed to; one that was taken before is found.
	Capture(ctx context.Context, order string, key uuid.UUID) (Result, error)
	// Captured tells what has been taken for an order without taking anything; a *Refusal where nothing was.
	Captured(ctx context.Context, order string) (Result, error)
	// Refund gives the whole of a capture back.
	Refund(ctx context.Context, capture string, amount decimal.Decimal, currency string, key uuid.UUID) (Result, error)
}

// Instant takes every order as paid at once: for installations that bill elsewhere, and for trying things out.
type Instant struct{}

// Name is instant.
func (Instant) Name() string { return "instant" }

// Immediate is true.
func (Instant) Immediate() bool { return true }

// Place gives an order that needs no approval.
func (Instant) Place(_ context.Context, o Order) (Placed, error) {
	return Placed{ID: o.Purchase.String()}, nil
}

// Capture is done.
func (Instant) Capture(_ context.Context, _ string, key uuid.UUID) (Result, error) {
	return Result{State: Done, ID: key.String()}, nil
}

// Captured finds nothing: what Capture takes is recorded with the purchase.
func (Instant) Captured(context.Context, string) (Result, error) {
	return Result{}, &Refusal{Reason: Gone, Detail: "instant payments are kept with their purchases"}
}

// Refund is done.
func (Instant) Refund(_ context.Context, _ string, amount decimal.Decimal, currency string, key uuid.UUID) (Result, error) {
	return Result{State: Done, ID: key.String(), Amount: amount, Currency: currency}, nil
}

// Amount is money in JSON: a string with two decimals, whatever the currency, as it is stored.
type Amount struct{ decimal.Decimal }

// String has two decimals.
func (a Amount) String() string { return a.StringFixed(2) }

// MarshalJSON writes it as a string.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }

// MarshalText writes it with two decimals.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Currencies are those that can be charged, in order: the ones that PayPal takes.
func Currencies() []string {
	return strings.Fields("AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD")
}

// Places is how many decimals amounts of a currency have at PayPal.
func Places(currency string) int32 {
	if slices.Contains([]string{"HUF", "JPY", "TWD"}, currency) {
		return 0
	}
	return 2
}

// Check names what is wrong with a price: it must be neither negative nor finer than the currency's coins.
func Check(price decimal.Decimal, currency string) error {
	switch {
	case !slices.Contains(Currencies(), currency):
		return fmt.Errorf("%s is not a currency that can be charged: one of %s", currency, strings.Join(Currencies(), " "))
	case price.IsNegative():
		return errors.New("must not be negative")
	case !price.Equal(price.Truncate(Places(currency))):
		return fmt.Errorf("has more than %d decimals, which %s has not", Places(currency), currency)
	}
	return nil
}
