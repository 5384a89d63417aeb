package payment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"corrosion/schema/pause"
)

// PayPalConfig are the settings of PayPal's Orders API, version 2.
type PayPalConfig struct {
	// BaseURL is https://api-m.paypal.com, or https://api-m.sandbox.paypal.com to try things out.
	BaseURL  string
	ClientID string
	// Secret gives the app's secret. It is asked for each new token, so that a rotated one counts without a restart.
	Secret func() (string, error)
	// Brand is the name that the buyer sees.
	Brand string
	// Timeout bounds one request; Tries is how often one is sent while PayPal does not answer it.
	Timeout time.Duration
	Tries   int
	// Pause is waited after the first try, and twice as long after each further one.
	Pause time.Duration
	// OrderLife is how long a buyer has to agree: PayPal keeps such orders for three hours.
	OrderLife time.Duration
	// Client sends the requests; nil is one that follows no redirects.
	Client *http.Client
	Logger *slog.Logger
}

// The addresses of PayPal.
const (
	PayPalLive    = "https://api-m.paypal.com"
	PayPalSandbox = "https://api-m.sandbox.paypal.com"
)

// DefaultPayPalConfig waits for PayPal at most half a minute.
func DefaultPayPalConfig() PayPalConfig {
	return PayPalConfig{
		BaseURL: PayPalLive, Brand: "Corrosion", Timeout: 8 * time.Second, Tries: 3, Pause: 250 * time.Millisecond, OrderLife: 3 * time.Hour,
	}
}

// PayPal is the gateway to PayPal. It is safe for concurrent use.
type PayPal struct {
	cfg PayPalConfig

	mu      sync.Mutex // covers token and expires
	token   string
	expires time.Time
}

// NewPayPal makes the gateway; it does not ask PayPal anything yet.
func NewPayPal(cfg PayPalConfig) (*PayPal, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Hostname() != "127.0.0.1" {
		return nil, errors.New("paypal: the base URL must be an https URL")
	}
	if cfg.ClientID == "" || cfg.Secret == nil {
		return nil, errors.New("paypal: client id and secret are required")
	}
	if cfg.Tries < 1 || cfg.Timeout <= 0 || cfg.Pause <= 0 || cfg.OrderLife <= 0 {
		return nil, errors.New("paypal: Tries, Timeout, Pause and OrderLife must be positive")
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	client := *cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Client, cfg.BaseURL = &client, strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &PayPal{cfg: cfg}, nil
}

// Name is paypal.
func (p *PayPal) Name() string { return "paypal" }

// Immediate is false.
func (p *PayPal) Immediate() bool { return false }

// Place makes an order that the buyer agrees to at PayPal.
func (p *PayPal) Place(ctx context.Context, o Order) (Placed, error) {
	var order paypalOrder
	err := p.call(ctx, http.MethodPost, "/v2/checkout/orders", o.Key, newPayPalOrder(o, p.cfg.Brand), &order)
	if err != nil {
		return Placed{}, fmt.Errorf("place order: %w", err)
	}
	placed := Placed{ID: order.ID, Expires: time.Now().Add(p.cfg.OrderLife)}
	for _, link := range order.Links {
		if link.Rel == "payer-action" || link.Rel == "approve" {
			placed.ApproveURL = link.Href
		}
	}
	if !validPayPalID(placed.ID) || !isHTTPS(placed.ApproveURL) {
		return Placed{}, fmt.Errorf("place order: %w: the answer has no order or no link for the buyer", ErrUncertain)
	}
	return placed, nil
}

// Capture takes the money.
func (p *PayPal) Capture(ctx context.Context, order string, key uuid.UUID) (Result, error) {
	var answer paypalOrder
	err := p.call(ctx, http.MethodPost, "/v2/checkout/orders/"+url.PathEscape(order)+"/capture", key, struct{}{}, &answer)
	var issue *paypalIssue
	if errors.As(err, &issue) && issue.is("ORDER_ALREADY_CAPTURED") {
		return p.Captured(ctx, order)
	}
	if err != nil {
		return Result{}, fmt.Errorf("capture order: %w", refusal(err))
	}
	return answer.captured()
}

// Captured reads an order.
func (p *PayPal) Captured(ctx context.Context, order string) (Result, error) {
	var answer paypalOrder
	if err := p.call(ctx, http.MethodGet, "/v2/checkout/orders/"+url.PathEscape(order), uuid.Nil, nil, &answer); err != nil {
		return Result{}, fmt.Errorf("read order: %w", refusal(err))
	}
	return answer.captured()
}

// Refund gives a capture back. One that was given back before is done.
func (p *PayPal) Refund(ctx context.Context, capture string, amount decimal.Decimal, currency string, key uuid.UUID) (Result, error) {
	body := struct {
		Amount paypalMoney `json:"amount"`
	}{moneyOf(amount, currency)}
	var answer struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	err := p.call(ctx, http.MethodPost, "/v2/payments/captures/"+url.PathEscape(capture)+"/refund", key, body, &answer)
	var issue *paypalIssue
	switch {
	case errors.As(err, &issue) && issue.is("CAPTURE_FULLY_REFUNDED"):
		return Result{State: Done, ID: capture, Amount: amount, Currency: currency}, nil
	case err != nil:
		return Result{}, fmt.Errorf("refund capture: %w", refusal(err))
	}
	result := Result{ID: answer.ID, Amount: amount, Currency: currency, Detail: answer.Status}
	switch answer.Status {
	case "COMPLETED":
		result.State = Done
	case "PENDING":
		result.State = Waiting
	default:
		result.State = Failed
	}
	return result, nil
}

// call sends one request until PayPal answers it, and reads the answer. Repeating is safe: what changes something has a
// key.
func (p *PayPal) call(ctx context.Context, method, path string, key uuid.UUID, body, into any) error {
	wait := p.cfg.Pause
	for try := 1; ; try++ {
		err := p.once(ctx, method, path, key, body, into)
		if err == nil || !errors.Is(err, ErrUncertain) || try == p.cfg.Tries {
			return err
		}
		p.cfg.Logger.Warn("paypal did not answer; asking again", "method", method, "try", try, "error", err)
		if !pause.For(ctx, wait) {
			return fmt.Errorf("%w: %w", ErrUncertain, ctx.Err())
		}
		wait *= 2
	}
}

func (p *PayPal) once(ctx context.Context, method, path string, key uuid.UUID, body, into any) error {
	token, err := p.bearer(ctx)
	if err != nil {
		return err
	}
	var encoded []byte
	if body != nil {
		if encoded, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write request: %w", err)
		}
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Prefer": {"return=representation"}}
	if key != uuid.Nil {
		header.Set("PayPal-Request-Id", key.String())
	}
	status, answer, err := p.send(ctx, method, path, header, encoded)
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized:
		p.forget(token)
		return fmt.Errorf("%w: PayPal takes the token no longer", ErrUncertain)
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status < 200, status >= 300 && status < 400:
		return fmt.Errorf("%w: status %d", ErrUncertain, status)
	case status >= 400:
		return issueOf(status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%w: the answer is not JSON", ErrUncertain)
	}
	return nil
}

// maxAnswer bounds what is read of PayPal's answers, bytes.
const maxAnswer = 1 << 20

func (p *PayPal) send(ctx context.Context, method, path string, header http.Header, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.cfg.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("write request: %w", err)
	}
	request.Header = header
	response, err := p.cfg.Client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: read answer: %w", ErrUncertain, err)
	}
	return response.StatusCode, answer, nil
}

// bearer is an access token that lives for a while yet.
func (p *PayPal) bearer(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.expires) {
		return p.token, nil
	}
	secret, err := p.cfg.Secret()
	if err != nil {
		return "", fmt.Errorf("%w: PayPal's secret: %w", ErrUncertain, err)
	}
	request := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	request.SetBasicAuth(p.cfg.ClientID, secret)
	status, answer, err := p.send(ctx, http.MethodPost, "/v1/oauth2/token", request.Header, []byte("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("%w: PayPal gives no token, status %d; 401 = client id or secret are wrong", ErrUncertain, status)
	}
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(answer, &token); err != nil || token.AccessToken == "" {
		return "", fmt.Errorf("%w: PayPal's token cannot be read", ErrUncertain)
	}
	p.token = token.AccessToken
	p.expires = time.Now().Add(time.Duration(token.ExpiresIn)*time.Second - time.Minute)
	return p.token, nil
}

func (p *PayPal) forget(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token == token {
		p.expires = time.Time{}
	}
}
