package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/purchase"
	"corrosion/api/query"
)

const (
	purchasesPath  = modulesPath + "/purchases"
	purchasePath   = purchasesPath + "/{id}"
	buyPath        = modulePath + "/purchase"
	defaultBought  = 50
	mostBought     = 200
	maxReasonRunes = 500
)

type buyInput struct {
	ModulePath
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"The license's; the same key with the same body gives the same answer for good, a crash before the first answer or a refund included. With another body it is a 422 idempotency-key-reused."`
	Body *struct {
		Amount   string `json:"amount,omitempty" doc:"The price that the buyer has seen: another one is refused. With currency." example:"9.99"`
		Currency string `json:"currency,omitempty" example:"USD"`
	} `required:"false"`
}

type purchaseOutput struct {
	Location string `header:"Location"`
	Body     purchase.Purchase
}

// PurchasesPage chooses a page of purchases.
type PurchasesPage struct {
	Limit  string `query:"limit" doc:"How many purchases a page has: 1 to 200, default 50."`
	Cursor string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

type purchasesOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body *purchase.History
}

// PurchasePath names a purchase.
type PurchasePath struct {
	ID string `path:"id" format:"uuid" doc:"The purchase."`
}

type refundInput struct {
	PurchasePath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"Stands in the log of transactions."`
	} `required:"false"`
}

type receiptInput struct {
	PurchasePath
	Format string `query:"format" enum:"json,html,text" default:"json" doc:"html is a page to be printed."`
}

type receiptOutput struct{ Body *purchase.Receipt }

// registerPurchases is the table of what there is of purchases.
func (s *Server) registerPurchases() {
	op := func(id, method, path, summary, description string, status int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{"Modules"}, Summary: summary, Description: description, DefaultStatus: status,
		}
	}
	buy := op("module-purchase", http.MethodPost, buyPath, "Buy a module",
		"For admins and owners. 201 = completed. 202 = the buyer is to agree at approve_url; then capture it, unless the payment provider's own message is faster. "+
			"A purchase that is pending is gone on with. The price is the one of this moment, whatever becomes of it later.", http.StatusCreated)
	accepted := s.huma.OpenAPI().Components.Schemas.Schema(typeOfPurchase, true, "Purchase")
	buy.Responses = map[string]*huma.Response{"202": {Description: "The buyer is to agree", Content: map[string]*huma.MediaType{"application/json": {Schema: accepted}}}}
	route[buyInput, purchaseOutput](s, buy, auth.Admin, s.buyModule)
	route[PurchasesPage, purchasesOutput](s, op("module-purchases", http.MethodGet, purchasesPath, "The license's purchases", "The newest first.", http.StatusOK),
		auth.Viewer, s.listPurchases)
	route[PurchasePath, purchaseOutput](s, op("module-purchase-show", http.MethodGet, purchasePath, "One purchase, with its transactions", "", http.StatusOK),
		auth.Viewer, s.showPurchase)
	route[PurchasePath, purchaseOutput](s, op("module-purchase-capture", http.MethodPost, purchasePath+"/capture", "Complete a purchase that the buyer has agreed to",
		"For admins and owners. Repeating it is harmless.", http.StatusOK), auth.Admin, s.capturePurchase)
	route[PurchasePath, struct{}](s, op("module-purchase-cancel", http.MethodDelete, purchasePath, "Cancel a purchase that is pending",
		"For admins and owners.", http.StatusNoContent), auth.Admin, s.cancelPurchase)
	route[refundInput, purchaseOutput](s, op("module-purchase-refund", http.MethodPost, purchasePath+"/refund", "Give a module back",
		"For owners, for two weeks after the purchase. While the payment provider works on it the purchase is refunding.", http.StatusOK),
		auth.Owner, s.refundPurchase)
	receipt := op("module-receipt", http.MethodGet, purchasePath+"/receipt", "The receipt of a purchase", "", http.StatusOK)
	route[receiptInput, receiptOutput](s, receipt, auth.Viewer, s.purchaseReceipt)
	s.registerWebhook()
}

// auditBy is who asks, for the audit.
func auditBy(c *fiber.Ctx) audit.Event {
	st := stateOf(c)
	event := audit.Event{Origin: audit.Origin{Address: st.address, UserAgent: c.Get(fiber.HeaderUserAgent), RequestID: st.id}}
	if id, ok := st.identity.Account(); ok {
		event.ActorID = &id
	} else {
		event.Actor = st.identity.Subject
	}
	return event
}

// idempotencyKey reads the header; absent is "".
func idempotencyKey(c *fiber.Ctx, in *inputs) string {
	key := c.Get(idempotencyHeader)
	if !harmlessKey(key) {
		in.add(query.Fault{Location: "header." + idempotencyHeader, Message: fmt.Sprintf("must be 1 to %d printable ASCII characters", maxIdempotencyKey), Value: len(key)})
	}
	return key
}

// readOptionalBody is readBody for a request that may have none.
func readOptionalBody(c *fiber.Ctx, in *inputs, known ...string) (*body, error) {
	if len(c.Body()) == 0 {
		return &body{in: in, fields: nil}, nil
	}
	return readBody(c, in, known...)
}

func (s *Server) buyModule(c *fiber.Ctx, who asker, in *inputs) error {
	slug, err := slugOf(c)
	if err != nil {
		return err
	}
	b, err := readOptionalBody(c, in, "amount", "currency")
	if err != nil {
		return err
	}
	r := purchase.Request{License: who.license, Module: slug, Key: idempotencyKey(c, in), Expected: b.expectedPrice(), By: auditBy(c)}
	if err := in.err(); err != nil {
		return err
	}
	bought, err := s.deps.Purchases.Buy(c.UserContext(), r)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, purchasesPath+"/"+bought.ID.String())
	if bought.Status != purchase.Completed {
		return sendJSON(c, http.StatusAccepted, bought)
	}
	return sendJSON(c, http.StatusCreated, bought)
}

// expectedPrice is the price that the buyer has seen; nil where none is given.
func (b *body) expectedPrice() *purchase.Expected {
	if !b.has("amount") && !b.has("currency") {
		return nil
	}
	if !b.has("amount") || !b.has("currency") {
		b.fault("amount", "and currency go together", nil)
		return nil
	}
	return &purchase.Expected{Amount: b.amount("amount"), Currency: b.text("currency", 3, false)}
}

// amount is a decimal string that is no finer and no greater than a price can be.
func (b *body) amount(name string) decimal.Decimal {
	text := b.text(name, 20, false)
	if !plainDecimal.MatchString(text) {
		b.fault(name, "must be a decimal string, as in \"9.99\", with at most two decimals", clip(text))
		return decimal.Decimal{}
	}
	amount, err := decimal.NewFromString(text)
	if err != nil {
		b.fault(name, "must be a decimal string", clip(text))
	}
	return amount
}

func (s *Server) listPurchases(c *fiber.Ctx, who asker, in *inputs) error {
	r := in.purchaseList()
	r.License = who.license
	if err := in.err(); err != nil {
		return err
	}
	list, err := s.deps.Purchases.List(c.UserContext(), r)
	return sendPurchases(c, list, err, r.Cursor, purchasesPath, in)
}

func (in *inputs) purchaseList() purchase.ListRequest {
	r := purchase.ListRequest{Limit: in.number("limit", 1, mostBought), Cursor: in.one("cursor")}
	if r.Limit == 0 {
		r.Limit = defaultBought
	}
	return r
}

func sendPurchases(c *fiber.Ctx, list *purchase.History, err error, cursor, path string, in *inputs) error {
	if errors.Is(err, purchase.ErrCursor) {
		return badCursor(cursor)
	}
	if err != nil {
		return err
	}
	if list.Next != nil {
		linkNext(c, path, in.values, *list.Next)
	}
	return sendJSON(c, http.StatusOK, list)
}

// purchaseOf is the purchase that a path names; what cannot be one does not exist.
func purchaseOf(c *fiber.Ctx, in *inputs) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil || id.String() != c.Params("id") {
		return uuid.Nil, errNotFound
	}
	return id, in.err()
}

func (s *Server) showPurchase(c *fiber.Ctx, who asker, in *inputs) error {
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	p, err := s.deps.Purchases.Show(c.UserContext(), who.license, id)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, p)
}

func (s *Server) capturePurchase(c *fiber.Ctx, who asker, in *inputs) error {
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	p, err := s.deps.Purchases.Capture(c.UserContext(), who.license, id, auditBy(c))
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, p)
}

func (s *Server) cancelPurchase(c *fiber.Ctx, who asker, in *inputs) error {
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	if err := s.deps.Purchases.Cancel(c.UserContext(), who.license, id, auditBy(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// refundReason reads the body of a refund.
func refundReason(c *fiber.Ctx, in *inputs) (string, error) {
	b, err := readOptionalBody(c, in, "reason")
	if err != nil {
		return "", err
	}
	return b.text("reason", maxReasonRunes, false), nil
}

func (s *Server) refundPurchase(c *fiber.Ctx, who asker, in *inputs) error {
	reason, err := refundReason(c, in)
	if err != nil {
		return err
	}
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	p, err := s.deps.Purchases.Refund(c.UserContext(), who.license, id, reason, auditBy(c))
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, p)
}

// receiptPolicy lets a receipt have its own style and nothing else.
const receiptPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

func (s *Server) purchaseReceipt(c *fiber.Ctx, who asker, in *inputs) error {
	format := choice(in, "format", "json", "html", "text")
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	receipt, err := s.deps.Purchases.Receipt(c.UserContext(), who.license, id)
	if err != nil {
		return err
	}
	var page []byte
	kind := "text/plain; charset=utf-8"
	switch format {
	case "html":
		kind = "text/html; charset=utf-8"
		c.Set(fiber.HeaderContentSecurityPolicy, receiptPolicy)
		page, err = receipt.HTML()
	case "text":
		page, err = receipt.Text()
	default:
		return sendJSON(c, http.StatusOK, receipt)
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
	c.Response().Header.SetContentType(kind)
	return c.Send(page)
}
