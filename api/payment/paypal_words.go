package payment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// What PayPal's Orders v2 says and hears; only the fields that matter here.

type paypalMoney struct {
	Currency string          `json:"currency_code"`
	Value    json.RawMessage `json:"value"`
}

func moneyOf(amount decimal.Decimal, currency string) paypalMoney {
	return paypalMoney{currency, json.RawMessage(`"` + amount.StringFixed(Places(currency)) + `"`)}
}

// amount reads the value, which PayPal writes as a string.
func (m paypalMoney) amount() (decimal.Decimal, error) {
	var text string
	if err := json.Unmarshal(m.Value, &text); err != nil {
		return decimal.Decimal{}, errors.New("the amount is not a string")
	}
	return decimal.NewFromString(text)
}

type paypalLink struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

type paypalOrder struct {
	ID     string       `json:"id"`
	Status string       `json:"status"`
	Links  []paypalLink `json:"links"`
	Units  []struct {
		CustomID string `json:"custom_id"`
		Payments struct {
			Captures []paypalCapture `json:"captures"`
		} `json:"payments"`
	} `json:"purchase_units"`
}

type paypalCapture struct {
	ID       string      `json:"id"`
	Status   string      `json:"status"`
	CustomID string      `json:"custom_id"`
	Amount   paypalMoney `json:"amount"`
	Details  struct {
		Reason string `json:"reason"`
	} `json:"status_details"`
}

// captured is what was taken for an order: a *Refusal where nothing was.
func (o paypalOrder) captured() (Result, error) {
	for _, unit := range o.Units {
		if len(unit.Payments.Captures) == 0 {
			continue
		}
		c := unit.Payments.Captures[0] // we ask for whole captures: there is no second one
		if c.CustomID == "" {
			c.CustomID = unit.CustomID
		}
		return c.result()
	}
	switch o.Status {
	case "CREATED", "SAVED", "PAYER_ACTION_REQUIRED", "APPROVED":
		return Result{}, &Refusal{Reason: NotApproved, Detail: o.Status}
	case "VOIDED":
		return Result{}, &Refusal{Reason: Gone, Detail: o.Status}
	}
	return Result{}, fmt.Errorf("%w: order %s without a capture", ErrUncertain, o.Status)
}

func (c paypalCapture) result() (Result, error) {
	amount, err := c.Amount.amount()
	if err != nil {
		return Result{}, fmt.Errorf("%w: capture: %w", ErrUncertain, err)
	}
	purchase, _ := uuid.Parse(c.CustomID) // Nil where it is not ours
	result := Result{ID: c.ID, Amount: amount, Currency: c.Amount.Currency, Purchase: purchase, Detail: c.Status}
	if c.Details.Reason != "" {
		result.Detail += " " + c.Details.Reason
	}
	switch c.Status {
	case "COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED":
		result.State = Done
	case "PENDING":
		result.State = Waiting
	default: // DECLINED, FAILED
		result.State = Failed
	}
	return result, nil
}

// newPayPalOrder is the body that asks for an order.
func newPayPalOrder(o Order, brand string) any {
	type unit struct {
		ReferenceID string      `json:"reference_id"`
		CustomID    string      `json:"custom_id"`
		InvoiceID   string      `json:"invoice_id"`
		Description string      `json:"description"`
		Amount      paypalMoney `json:"amount"`
	}
	type experience struct {
		Brand     string `json:"brand_name"`
		Shipping  string `json:"shipping_preference"`
		Action    string `json:"user_action"`
		ReturnURL string `json:"return_url"`
		CancelURL string `json:"cancel_url"`
	}
	type wallet struct {
		Experience experience `json:"experience_context"`
	}
	description := []rune(o.Description)
	return struct {
		Intent string            `json:"intent"`
		Units  []unit            `json:"purchase_units"`
		Source map[string]wallet `json:"payment_source"`
	}{
		"CAPTURE",
		[]unit{{"default", o.Purchase.String(), o.Purchase.String(), string(description[:min(len(description), 127)]), moneyOf(o.Amount, o.Currency)}},
		map[string]wallet{"paypal": {experience{brand, "NO_SHIPPING", "PAY_NOW", o.ReturnURL, o.CancelURL}}},
	}
}

// paypalIssue is what PayPal says when it refuses.
type paypalIssue struct {
	status  int
	Name    string `json:"name"`
	DebugID string `json:"debug_id"`
	Details []struct {
		Issue string `json:"issue"`
	} `json:"details"`
}

func issueOf(status int, answer []byte) error {
	issue := &paypalIssue{status: status}
	if err := json.Unmarshal(answer, issue); err != nil {
		issue.Name = "not JSON"
	}
	return issue
}

// Error quotes what PayPal's support asks for.
func (i *paypalIssue) Error() string {
	text := fmt.Sprintf("status %d %s", i.status, i.Name)
	for _, d := range i.Details {
		text += " " + d.Issue
	}
	return fmt.Sprintf("%.300s, debug id %.40s", text, i.DebugID)
}

func (i *paypalIssue) is(issue string) bool {
	for _, d := range i.Details {
		if d.Issue == issue {
			return true
		}
	}
	return false
}

// refusal makes PayPal's issues ours and leaves other errors.
func refusal(err error) error {
	var issue *paypalIssue
	if !errors.As(err, &issue) {
		return err
	}
	reason := Other
	switch {
	case issue.is("ORDER_NOT_APPROVED"), issue.is("PAYER_ACTION_REQUIRED"):
		reason = NotApproved
	case issue.is("INSTRUMENT_DECLINED"), issue.is("PAYER_CANNOT_PAY"), issue.is("TRANSACTION_REFUSED"), issue.is("CARD_EXPIRED"):
		reason = Declined
	case issue.status == http.StatusNotFound, issue.is("ORDER_EXPIRED"), issue.is("ORDER_VOIDED"):
		reason = Gone
	}
	return &Refusal{Reason: reason, Detail: issue.Error()}
}

var paypalID = regexp.MustCompile(`^[A-Z0-9-]{1,64}$`)

func validPayPalID(id string) bool { return paypalID.MatchString(id) }

func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && len(text) <= 2000
}
