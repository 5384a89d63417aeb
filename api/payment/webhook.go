package payment

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// ErrForged says that a message did not come from PayPal, or not as it is, or is too old.
var ErrForged = errors.New("the message is not one of PayPal's")

// Headers gives a header of a request.
type Headers func(name string) string

// EventKind is what an event tells.
type EventKind string

// The kinds. What is none of them is OtherEvent and changes nothing.
const (
	OrderApproved EventKind = "order approved"
	OrderReversed EventKind = "order reversed"
	MoneyTaken    EventKind = "money taken"
	MoneyRefused  EventKind = "money refused"
	MoneyReturned EventKind = "money returned"
	OtherEvent    EventKind = "other"
)

// Event is something that a provider tells unasked. It may come several times and in any order.
type Event struct {
	ID   string
	Type string
	Kind EventKind
	// Purchase is ours; uuid.Nil where the event names none.
	Purchase uuid.UUID
	// Order and Capture are the provider's; empty where the event names none.
	Order, Capture string
	// Reference is what it is about: a capture or a refund.
	Reference string
	Amount    decimal.Decimal
	Currency  string
}

// WebhookConfig are the settings of PayPal's webhook.
type WebhookConfig struct {
	// ID is the webhook's id at PayPal: what is signed holds it, so that messages for others do not fit.
	ID string
	// CertHosts are the hosts that certificates may come from, CertNames the names that one must be for.
	CertHosts, CertNames []string
	// Roots are the authorities that are believed; nil = the system's.
	Roots *x509.CertPool
	// MaxAge is how old a message may be: PayPal repeats what was not taken for three days.
	MaxAge time.Duration
	Client *http.Client
	Now    func() time.Time
}

// DefaultWebhookConfig believes PayPal and its sandbox.
func DefaultWebhookConfig(id string) WebhookConfig {
	return WebhookConfig{
		ID: id, CertHosts: []string{"api.paypal.com", "api.sandbox.paypal.com", "api-m.paypal.com", "api-m.sandbox.paypal.com"},
		CertNames: []string{"messageverificationcerts.paypal.com", "messageverificationcerts.sandbox.paypal.com"},
		MaxAge:    4 * 24 * time.Hour, Now: time.Now,
	}
}

// Webhook tells PayPal's messages from others'. It is safe for concurrent use.
type Webhook struct {
	cfg WebhookConfig

	mu    sync.Mutex // covers certs
	certs map[string]fetched
}

// fetched is the chain that a URL gave, leaf first, and until when it need not be asked again.
type fetched struct {
	chain []*x509.Certificate
	until time.Time
}

const (
	// certLife is how long a certificate is kept, maxCerts how many, and maxChain how many bytes one may have.
	certLife = 24 * time.Hour
	maxCerts = 16
	maxChain = 256 << 10
	// clockSkew is how far PayPal's clock may be ahead of ours.
	clockSkew = 5 * time.Minute
	// certTimeout bounds how long a certificate may take to come.
	certTimeout = 10 * time.Second
)

// NewWebhook makes a Webhook.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	if cfg.ID == "" || len(cfg.CertHosts) == 0 || len(cfg.CertNames) == 0 || cfg.MaxAge <= 0 || cfg.Now == nil {
		return nil, errors.New("paypal webhook: ID, CertHosts, CertNames, MaxAge and Now are required")
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	client := *cfg.Client
	client.Timeout = certTimeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Client = &client
	return &Webhook{cfg: cfg, certs: map[string]fetched{}}, nil
}

// Read checks a message and gives what it tells. It fails with ErrForged, or ErrUncertain where the certificate could not
// be had: then PayPal may send the message again.
func (w *Webhook) Read(ctx context.Context, header Headers, body []byte) (Event, error) {
	if algorithm := header("PAYPAL-AUTH-ALGO"); algorithm != "SHA256withRSA" {
		return Event{}, fmt.Errorf("%w: it is signed with %.20q", ErrForged, algorithm)
	}
	id, sent := header("PAYPAL-TRANSMISSION-ID"), header("PAYPAL-TRANSMISSION-TIME")
	at, err := time.Parse(time.RFC3339, sent)
	if err != nil || id == "" {
		return Event{}, fmt.Errorf("%w: it has no id or no time", ErrForged)
	}
	if age := w.cfg.Now().Sub(at); age > w.cfg.MaxAge || age < -clockSkew {
		return Event{}, fmt.Errorf("%w: it was sent at %s", ErrForged, at)
	}
	signature, err := base64.StdEncoding.DecodeString(header("PAYPAL-TRANSMISSION-SIG"))
	if err != nil || len(signature) == 0 {
		return Event{}, fmt.Errorf("%w: it has no signature", ErrForged)
	}
	key, err := w.key(ctx, header("PAYPAL-CERT-URL"))
	if err != nil {
		return Event{}, err
	}
	signed := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", id, sent, w.cfg.ID, crc32.ChecksumIEEE(body)))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, signed[:], signature); err != nil {
		return Event{}, fmt.Errorf("%w: the signature does not fit", ErrForged)
	}
	return readEvent(body)
}

// key is the public key of the certificate at a URL, once that is known to be PayPal's.
func (w *Webhook) key(ctx context.Context, at string) (*rsa.PublicKey, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || !slices.Contains(w.cfg.CertHosts, u.Host) || u.User != nil {
		return nil, fmt.Errorf("%w: its certificate is said to lie elsewhere", ErrForged)
	}
	chain, err := w.chain(ctx, u.String())
	if err != nil {
		return nil, err
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: w.cfg.Roots, Intermediates: intermediates, CurrentTime: w.cfg.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: its certificate: %w", ErrForged, err)
	}
	named := func(name string) bool { return chain[0].VerifyHostname(name) == nil }
	key, isRSA := chain[0].PublicKey.(*rsa.PublicKey)
	if !slices.ContainsFunc(w.cfg.CertNames, named) || !isRSA {
		return nil, fmt.Errorf("%w: its certificate is not for PayPal's messages", ErrForged)
	}
	return key, nil
}

func (w *Webhook) chain(ctx context.Context, at string) ([]*x509.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Now()
	if kept, there := w.certs[at]; there && now.Before(kept.until) {
		return kept.chain, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: its certificate's URL", ErrForged)
	}
	response, err := w.cfg.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: fetch certificate: %w", ErrUncertain, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxChain))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: fetch certificate: %w", ErrUncertain, err)
	case response.StatusCode >= 500:
		return nil, fmt.Errorf("%w: fetch certificate: status %d", ErrUncertain, response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: there is no certificate, status %d", ErrForged, response.StatusCode)
	}
	chain, err := parseChain(text)
	if err != nil {
		return nil, err
	}
	if len(w.certs) >= maxCerts {
		clear(w.certs)
	}
	w.certs[at] = fetched{chain, now.Add(certLife)}
	return chain, nil
}

func parseChain(text []byte) (chain []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: its certificate cannot be read", ErrForged)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: its certificate cannot be read", ErrForged)
	}
	return chain, nil
}

// kindsOfEvents tells which of PayPal's events matter.
func kindOf(eventType string) EventKind {
	switch eventType {
	case "CHECKOUT.ORDER.APPROVED":
		return OrderApproved
	case "CHECKOUT.PAYMENT-APPROVAL.REVERSED":
		return OrderReversed
	case "PAYMENT.CAPTURE.COMPLETED":
		return MoneyTaken
	case "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.DECLINED":
		return MoneyRefused
	case "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED":
		return MoneyReturned
	}
	return OtherEvent
}

func readEvent(body []byte) (Event, error) {
	var message struct {
		ID       string `json:"id"`
		Type     string `json:"event_type"`
		Resource struct {
			ID            string       `json:"id"`
			OrderID       string       `json:"order_id"`
			CustomID      string       `json:"custom_id"`
			Amount        paypalMoney  `json:"amount"`
			Links         []paypalLink `json:"links"`
			Supplementary struct {
				Related struct {
					Order   string `json:"order_id"`
					Capture string `json:"capture_id"`
				} `json:"related_ids"`
			} `json:"supplementary_data"`
			Units []struct {
				CustomID string `json:"custom_id"`
			} `json:"purchase_units"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(body, &message); err != nil || message.ID == "" || len(message.ID) > 128 {
		return Event{}, fmt.Errorf("%w: it cannot be read", ErrForged)
	}
	r := message.Resource
	event := Event{
		ID: message.ID, Type: message.Type, Kind: kindOf(message.Type), Order: r.Supplementary.Related.Order,
		Capture: r.Supplementary.Related.Capture, Reference: r.ID, Currency: r.Amount.Currency,
	}
	if r.CustomID == "" && len(r.Units) > 0 {
		r.CustomID = r.Units[0].CustomID
	}
	event.Purchase, _ = uuid.Parse(r.CustomID) // Nil where it is not ours
	event.Amount, _ = r.Amount.amount()        // zero where there is none
	switch event.Kind {
	case OrderApproved:
		event.Order = r.ID
	case OrderReversed:
		event.Order = r.OrderID
	case MoneyTaken, MoneyRefused:
		event.Capture = r.ID
	case MoneyReturned:
		event.Capture = captureAbove(event.Capture, r.ID, message.Type, r.Links)
	}
	return event, nil
}

// captureAbove is the capture that was given back: a refund names it by its link "up", a reversal is the capture itself
// or names it in the same way.
func captureAbove(related, id, eventType string, links []paypalLink) string {
	for _, link := range links {
		if _, capture, found := strings.Cut(link.Href, "/v2/payments/captures/"); found && link.Rel == "up" {
			return capture
		}
	}
	if related == "" && eventType == "PAYMENT.CAPTURE.REVERSED" {
		return id
	}
	return related
}
