package paypaltest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/payment"
)

// WebhookID is the id that messages are signed for.
const WebhookID = "WH-TEST"

// certName is the name in PayPal's certificates.
const certName = "messageverificationcerts.paypal.com"

// signer signs messages with a certificate that an authority of its own has made, and serves both chains: a good one and
// one of a stranger.
type signer struct {
	key, stranger *rsa.PrivateKey
	roots         *x509.CertPool
	server        *httptest.Server
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	s := &signer{roots: x509.NewCertPool()}
	good, goodRoot, key := chain(t, certName)
	bad, _, stranger := chain(t, certName)
	elsewhere := reissue(t, key, goodRoot)
	s.key, s.stranger = key, stranger
	s.roots.AddCert(goodRoot.cert)
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/notifications/certs/good":
			_, _ = w.Write(good)
		case "/v1/notifications/certs/stranger":
			_, _ = w.Write(bad)
		case "/v1/notifications/certs/elsewhere":
			_, _ = w.Write(elsewhere)
		case "/v1/notifications/certs/away":
			w.WriteHeader(503)
		default:
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// chain makes an authority and a certificate of it, leaf first.
func chain(t testing.TB, name string) (text []byte, root authority, key *rsa.PrivateKey) {
	t.Helper()
	root.key, key = newKey(t), newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root.cert = parse(t, sign(t, template, template, &root.key.PublicKey, root.key))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf(t, name, key, root)}), root, key
}

// reissue is a good certificate for the same key and another name.
func reissue(t testing.TB, key *rsa.PrivateKey, root authority) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf(t, "www.example.org", key, root)})
}

func leaf(t testing.TB, name string, key *rsa.PrivateKey, root authority) []byte {
	t.Helper()
	return sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, root.cert, &key.PublicKey, root.key)
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, public *rsa.PublicKey, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// WebhookConfig are settings that believe the server's messages.
func (s *Server) WebhookConfig() payment.WebhookConfig {
	config := payment.DefaultWebhookConfig(WebhookID)
	config.CertHosts = []string{strings.TrimPrefix(s.signer.server.URL, "https://")}
	config.Roots, config.Client = s.signer.roots, s.signer.server.Client()
	return config
}

// Message is a signed message.
type Message struct {
	Header http.Header
	Body   []byte
}

// Get is payment.Headers.
func (m Message) Get(name string) string { return m.Header.Get(name) }

// Signing says how a message is signed; the zero value is as PayPal does it.
type Signing struct {
	// Cert is the certificate's name on the server; empty = good.
	Cert string
	// Stranger signs with the stranger's key.
	Stranger bool
	// WebhookID is another webhook's.
	WebhookID string
	// Age is how long ago it was sent.
	Age time.Duration
}

// Sign makes a message of an event.
func (s *Server) Sign(event map[string]any, how Signing) Message {
	body, _ := json.Marshal(event)
	if how.Cert == "" {
		how.Cert = "good"
	}
	if how.WebhookID == "" {
		how.WebhookID = WebhookID
	}
	key := s.signer.key
	if how.Stranger {
		key = s.signer.stranger
	}
	id, at := uuid.NewString(), time.Now().Add(-how.Age).UTC().Format(time.RFC3339)
	digest := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", id, at, how.WebhookID, crc32.ChecksumIEEE(body)))
	signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	header := http.Header{}
	header.Set("PAYPAL-AUTH-ALGO", "SHA256withRSA")
	header.Set("PAYPAL-TRANSMISSION-ID", id)
	header.Set("PAYPAL-TRANSMISSION-TIME", at)
	header.Set("PAYPAL-TRANSMISSION-SIG", base64.StdEncoding.EncodeToString(signature))
	header.Set("PAYPAL-CERT-URL", s.signer.server.URL+"/v1/notifications/certs/"+how.Cert)
	return Message{header, body}
}

// Event is what PayPal tells of an order: of its approval, its capture, or its refund.
func (s *Server) Event(id, eventType, orderID string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	amount := map[string]any{"currency_code": o.Currency, "value": o.Value}
	resource := map[string]any{"id": o.Capture, "status": o.CaptureStatus, "custom_id": o.Purchase, "amount": amount,
		"supplementary_data": map[string]any{"related_ids": map[string]any{"order_id": o.ID}}}
	switch eventType {
	case "CHECKOUT.ORDER.APPROVED":
		resource = o.view()
	case "PAYMENT.CAPTURE.REFUNDED":
		resource = map[string]any{"id": o.Refund, "status": "COMPLETED", "custom_id": o.Purchase, "amount": amount,
			"links": []any{map[string]any{"rel": "up", "href": s.URL + "/v2/payments/captures/" + o.Capture}}}
	}
	return map[string]any{"id": id, "event_type": eventType, "resource": resource}
}
