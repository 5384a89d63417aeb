package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

const webhookPath = "/api/public/payments/paypal/webhook"

type webhookInput struct {
	ID        string `header:"PAYPAL-TRANSMISSION-ID"`
	Time      string `header:"PAYPAL-TRANSMISSION-TIME"`
	Signature string `header:"PAYPAL-TRANSMISSION-SIG"`
	CertURL   string `header:"PAYPAL-CERT-URL"`
	Algorithm string `header:"PAYPAL-AUTH-ALGO" doc:"SHA256withRSA"`
	Body      struct {
		ID   string `json:"id" doc:"Of the event: one counts once"`
		Type string `json:"event_type" example:"PAYMENT.CAPTURE.COMPLETED"`
	}
}

// registerWebhook listens to what PayPal tells unasked. Messages are believed for their signature alone.
func (s *Server) registerWebhook() {
	describe[webhookInput](s, huma.Operation{
		OperationID: "paypal-webhook", Method: http.MethodPost, Path: webhookPath, Tags: []string{"Modules"}, DefaultStatus: http.StatusNoContent,
		Summary:     "What PayPal tells unasked",
		Description: "For PayPal alone: messages without its signature are refused. Where PayPal is not set up there is nothing here.",
	})
	s.app.Post(webhookPath, s.paypalWebhook)
}

func (s *Server) paypalWebhook(c *fiber.Ctx) error {
	if err := newInputs(stateOf(c).values, nil, s.deps.Now(), noRetention()).err(); err != nil {
		return err
	}
	header := func(name string) string { return c.Get(name) }
	if err := s.deps.Purchases.Heard(c.UserContext(), header, c.Body()); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
