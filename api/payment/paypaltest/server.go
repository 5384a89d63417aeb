// Package paypaltest is a server that behaves as PayPal documents its Orders API, version 2, to behave, for tests: orders
// with idempotent requests, captures, refunds, and signed webhook messages; and every fault that a test asks for.
package paypaltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"corrosion/api/payment"
)

// The credentials that the server takes.
const (
	ClientID = "test-client"
	Secret   = "test-secret"
)

// Fault is what the server does instead of answering.
type Fault int

// The faults.
const (
	// Status500 answers 500 and does nothing.
	Status500 Fault = iota + 1
	// Silent does what was asked and never answers.
	Silent
	// Garbled does what was asked and answers with what is no JSON.
	Garbled
	// Declined refuses a capture: INSTRUMENT_DECLINED.
	Declined
	// Pending leaves a capture or refund pending.
	Pending
	// Expired takes the token no longer.
	Expired
)

type order struct {
	ID, Purchase, Currency, Value, Status string
	Capture, CaptureStatus                string
	Refund                                string
}

// Server is a PayPal. It is safe for concurrent use.
type Server struct {
	*httptest.Server
	signer *signer

	mu       sync.Mutex // covers all below
	orders   map[string]*order
	answers  map[string][]byte
	faults   []fault
	numbers  int
	captures int
	refunds  int
	tokens   int
	silent   chan struct{}
}

type fault struct {
	path  string
	fault Fault
}

// New starts a server that stops with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{orders: map[string]*order{}, answers: map[string][]byte{}, silent: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/oauth2/token", s.token)
	mux.HandleFunc("POST /v2/checkout/orders", s.act(s.create))
	mux.HandleFunc("GET /v2/checkout/orders/{id}", s.act(s.show))
	mux.HandleFunc("POST /v2/checkout/orders/{id}/capture", s.act(s.capture))
	mux.HandleFunc("POST /v2/payments/captures/{id}/refund", s.act(s.refund))
	s.Server = httptest.NewServer(mux)
	s.signer = newSigner(t)
	t.Cleanup(func() { close(s.silent); s.Close() })
	return s
}

// Config are settings of a gateway to the server, which waits little.
func (s *Server) Config() payment.PayPalConfig {
	config := payment.DefaultPayPalConfig()
	config.BaseURL, config.ClientID, config.Secret = s.URL, ClientID, func() (string, error) { return Secret, nil }
	config.Timeout, config.Tries, config.Pause = 500*time.Millisecond, 2, time.Millisecond
	return config
}

// Fail makes the next request whose path contains text end in a fault; faults queue up.
func (s *Server) Fail(text string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fault{text, f})
}

// Approve is what a buyer does.
func (s *Server) Approve(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[id].Status = "APPROVED"
}

// Finish completes a capture or a refund that was pending; ok = false denies the capture.
func (s *Server) Finish(id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[id].CaptureStatus = map[bool]string{true: "COMPLETED", false: "DECLINED"}[ok]
}

// Counts are how often money was taken and given back, and how many orders there are.
func (s *Server) Counts() (orders, captures, refunds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders), s.captures, s.refunds
}

func (s *Server) take(path string) Fault {
	for i, f := range s.faults {
		if strings.Contains(path, f.path) {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
			return f.fault
		}
	}
	return 0
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != ClientID || secret != Secret || r.FormValue("grant_type") != "client_credentials" {
		write(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	s.mu.Lock()
	s.tokens++
	token := fmt.Sprintf("token-%d", s.tokens)
	s.mu.Unlock()
	write(w, 200, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 32400})
}

// act runs a handler under the rules of all: a token, faults, and answers that repeat under the same request id.
func (s *Server) act(handle func(*http.Request, Fault) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		f := s.take(r.URL.Path)
		if f == Expired || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", s.tokens) {
			s.mu.Unlock()
			write(w, 401, map[string]any{"name": "AUTHENTICATION_FAILURE"})
			return
		}
		if f == Status500 {
			s.mu.Unlock()
			write(w, 500, map[string]any{"name": "INTERNAL_SERVER_ERROR"})
			return
		}
		status, answer := s.once(r, f, handle)
		s.mu.Unlock()
		switch f {
		case Silent:
			select {
			case <-r.Context().Done():
			case <-s.silent:
			}
		case Garbled:
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>")
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(answer)
		}
	}
}

// once does what a request id asks for at most once; refusals are not remembered.
func (s *Server) once(r *http.Request, f Fault, handle func(*http.Request, Fault) (int, any)) (int, []byte) {
	key := r.Header.Get("PayPal-Request-Id")
	if answer, there := s.answers[key]; there && key != "" {
		return 200, answer
	}
	status, value := handle(r, f)
	answer, _ := json.Marshal(value)
	if key != "" && status < 300 {
		s.answers[key] = answer
	}
	return status, answer
}

func (s *Server) next(kind string) string {
	s.numbers++
	return fmt.Sprintf("%s%013d", kind, s.numbers)
}

func (s *Server) create(r *http.Request, _ Fault) (int, any) {
	var body struct {
		Intent string `json:"intent"`
		Units  []struct {
			CustomID string `json:"custom_id"`
			Amount   struct {
				Currency string `json:"currency_code"`
				Value    string `json:"value"`
			} `json:"amount"`
		} `json:"purchase_units"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Intent != "CAPTURE" || len(body.Units) != 1 {
		return 400, map[string]any{"name": "INVALID_REQUEST"}
	}
	unit := body.Units[0]
	o := &order{ID: s.next("ORD"), Purchase: unit.CustomID, Currency: unit.Amount.Currency, Value: unit.Amount.Value, Status: "PAYER_ACTION_REQUIRED"}
	s.orders[o.ID] = o
	return 201, map[string]any{"id": o.ID, "status": o.Status, "links": []any{
		map[string]any{"rel": "self", "href": s.URL + "/v2/checkout/orders/" + o.ID},
		map[string]any{"rel": "payer-action", "href": "https://www.sandbox.paypal.com/checkoutnow?token=" + o.ID},
	}}
}

func (o *order) view() map[string]any {
	unit := map[string]any{"reference_id": "default", "custom_id": o.Purchase}
	if o.Capture != "" {
		unit["payments"] = map[string]any{"captures": []any{map[string]any{
			"id": o.Capture, "status": o.CaptureStatus, "custom_id": o.Purchase,
			"amount": map[string]any{"currency_code": o.Currency, "value": o.Value},
		}}}
	}
	return map[string]any{"id": o.ID, "status": o.Status, "purchase_units": []any{unit}}
}

func issue(status int, name, what string) (int, any) {
	return status, map[string]any{"name": name, "debug_id": "d1", "details": []any{map[string]any{"issue": what}}}
}

func (s *Server) show(r *http.Request, _ Fault) (int, any) {
	o := s.orders[r.PathValue("id")]
	if o == nil {
		return issue(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
	}
	return 200, o.view()
}

func (s *Server) capture(r *http.Request, f Fault) (int, any) {
	o := s.orders[r.PathValue("id")]
	switch {
	case o == nil:
		return issue(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
	case o.Capture != "":
		return issue(422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED")
	case o.Status != "APPROVED":
		return issue(422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED")
	case f == Declined:
		o.Status = "PAYER_ACTION_REQUIRED"
		return issue(422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED")
	}
	o.Status, o.Capture, o.CaptureStatus = "COMPLETED", s.next("CAP"), "COMPLETED"
	if f == Pending {
		o.CaptureStatus = "PENDING"
	}
	s.captures++
	return 201, o.view()
}

func (s *Server) refund(r *http.Request, f Fault) (int, any) {
	for _, o := range s.orders {
		if o.Capture != r.PathValue("id") {
			continue
		}
		if o.Refund != "" {
			return issue(422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED")
		}
		o.Refund, o.CaptureStatus = s.next("REF"), "REFUNDED"
		s.refunds++
		status := "COMPLETED"
		if f == Pending {
			status = "PENDING"
		}
		return 201, map[string]any{"id": o.Refund, "status": status}
	}
	return issue(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
