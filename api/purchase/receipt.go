package purchase

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/google/uuid"

	"corrosion/api/payment"
)

//go:embed receipt.html receipt.txt
var receiptFiles embed.FS

var (
	receiptHTML = html.Must(html.ParseFS(receiptFiles, "receipt.html"))
	receiptText = text.Must(text.ParseFS(receiptFiles, "receipt.txt"))
)

// Receipt says what was paid for what.
type Receipt struct {
	// Number is the transaction that completed the purchase.
	Number      uuid.UUID      `json:"receipt_number" doc:"The transaction that completed the purchase"`
	Purchase    uuid.UUID      `json:"purchase_id"`
	License     uuid.UUID      `json:"license_id"`
	LicenseName string         `json:"license_name"`
	Buyer       string         `json:"buyer"`
	Module      string         `json:"module"`
	ModuleName  string         `json:"module_name"`
	Publisher   string         `json:"publisher"`
	Amount      payment.Amount `json:"amount"`
	Currency    string         `json:"currency"`
	Gateway     string         `json:"gateway"`
	Reference   string         `json:"reference" doc:"The payment provider's name of the payment"`
	PaidAt      time.Time      `json:"paid_at"`
	RefundedAt  *time.Time     `json:"refunded_at"`
}

// Receipt gives the receipt of a license's purchase, also of one that was given back. It fails with ErrUnknown or
// ErrUnpaid.
func (s *Service) Receipt(ctx context.Context, license, id uuid.UUID) (*Receipt, error) {
	p, err := s.Show(ctx, license, id)
	if err != nil {
		return nil, err
	}
	q := s.deps.Store.Queries()
	m, err := q.FindModule(ctx, p.Module)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	name, err := q.LicenseName(ctx, license)
	if err != nil {
		return nil, fmt.Errorf("read license: %w", err)
	}
	r := &Receipt{
		Purchase: p.ID, License: license, LicenseName: name, Buyer: p.Buyer, Module: p.Module, ModuleName: m.Name, Publisher: m.Publisher,
		Amount: p.Amount, Currency: p.Currency, Gateway: p.Gateway, RefundedAt: p.RefundedAt,
	}
	for _, t := range p.Transactions {
		if t.To == Completed && r.Number == uuid.Nil {
			r.Number, r.Reference, r.PaidAt = t.ID, t.Reference, t.At
		}
	}
	if r.Number == uuid.Nil {
		return nil, ErrUnpaid
	}
	return r, nil
}

// HTML is the receipt as a page to be printed; it loads nothing.
func (r *Receipt) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := receiptHTML.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return b.Bytes(), nil
}

// Text is the receipt as lines of text.
func (r *Receipt) Text() ([]byte, error) {
	var b bytes.Buffer
	if err := receiptText.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return b.Bytes(), nil
}

// Day writes a moment for people.
func (r *Receipt) Day(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// Means says how it was paid.
func (r *Receipt) Means() string {
	switch r.Gateway {
	case freeGateway:
		return "free of charge"
	case "paypal":
		return "PayPal"
	}
	return strings.ToUpper(r.Gateway[:1]) + r.Gateway[1:]
}
