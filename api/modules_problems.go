package api

import (
	"errors"
	"reflect"
	"regexp"

	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/purchase"
	"corrosion/schema"
)

var errNotOwned = errors.New("the license does not own the module")

var typeOfPurchase = reflect.TypeFor[purchase.Purchase]()

// plainDecimal is an amount of money as people write it.
var plainDecimal = regexp.MustCompile(`^[0-9]{1,10}(\.[0-9]{1,2})?$`)

// noRetention is for requests that ask nothing about samples.
func noRetention() schema.Retention { return schema.Retention{} }

// moduleProblems are the lines of the table of problems that modules have.
func moduleProblems() []problemKind {
	return []problemKind{
		{"not-owned", 403, "The license does not own the module", "Buy it first: POST /api/modules/{slug}/purchase."},
		{"already-owned", 409, "The license owns the module already", "There is nothing to pay."},
		{"purchase-unsettled", 409, "A purchase of the module is not settled yet", "The payment provider is asked again within a minute: look at GET /api/modules/purchases."},
		{"price-changed", 409, "The price is another one", "Read the module again and agree to its price."},
		{"purchase-state", 409, "The purchase's state does not allow this", "Read the purchase: its status says what can be done."},
		{"refund-too-late", 409, "The time for giving the module back is over", "Ask the operator of the platform."},
		{"not-paid", 409, "The purchase was never paid", "Receipts are for completed purchases."},
		{"payment-not-approved", 409, "The payment is not approved yet", "Agree at approve_url, then try again."},
		{"payment-declined", 402, "The payment was declined", "Agree at approve_url again, with other means of payment."},
		{"payment-refused", 409, "The payment provider refuses", "The purchase says why; begin anew."},
		{"payment-unavailable", 503, "The payment provider does not answer", "Nothing is lost: repeat the request, or look at the purchase after a minute."},
		{"webhook-forged", 400, "The message is not one of the payment provider's", "Its signature, certificate or age does not fit."},
		{"link-expired", 410, "The link is not valid any more", "Links to files live for a limited time: the platform makes new ones."},
		{"file-elsewhere", 503, "The file lies with another process", "API processes must share the directory of module files."},
		{"no-version", 409, "The module has no published version", "Publish a version first."},
		{"modules-full", 409, "There are as many modules or versions as there may be", "Remove none: ask for a greater bound."},
		{"module-cycle", 409, "The modules would need each other", "Leave the dependency out."},
		{"empty-file", 422, "The file is empty", "Send the plugin file."},
	}
}

// moduleSentinels are the errors that moduleProblems are for.
func moduleSentinels() []sentinel {
	return []sentinel{
		{errNotOwned, "not-owned"},
		{module.ErrUnknown, "not-found"},
		{module.ErrExists, "conflict"},
		{module.ErrChanged, "changed"},
		{module.ErrNoVersion, "no-version"},
		{module.ErrCycle, "module-cycle"},
		{module.ErrFull, "modules-full"},
		{module.ErrLink, "link-expired"},
		{module.ErrTooLarge, "too-large"},
		{module.ErrEmpty, "empty-file"},
		{module.ErrElsewhere, "file-elsewhere"},
		{purchase.ErrUnknown, "not-found"},
		{purchase.ErrOwned, "already-owned"},
		{purchase.ErrKeyReused, "idempotency-key-reused"},
		{purchase.ErrPrice, "price-changed"},
		{purchase.ErrMove, "purchase-state"},
		{purchase.ErrTooLate, "refund-too-late"},
		{purchase.ErrNotApproved, "payment-not-approved"},
		{purchase.ErrDeclined, "payment-declined"},
		{purchase.ErrRefused, "payment-refused"},
		{purchase.ErrGateway, "payment-unavailable"},
		{purchase.ErrUnsettled, "purchase-unsettled"},
		{purchase.ErrUnpaid, "not-paid"},
		{payment.ErrForged, "webhook-forged"},
		{payment.ErrUncertain, "payment-unavailable"},
	}
}
