package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/platform"
	"corrosion/schema"
)

const (
	adminLicensesPath = adminPrefix + "/licenses"
	adminLicensePath  = adminLicensesPath + "/{license_id}"
)

type adminLicensesInput struct {
	Search string `query:"search" maxLength:"100" doc:"Only licenses with this in their name, whatever the case, or at the beginning of their id."`
	State  string `query:"state" enum:"active,suspended" doc:"Only licenses in this state."`
	Limit  string `query:"limit" doc:"How many licenses a page has: 1 to 500, default 100."`
	Cursor string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

// AdminLicenses is a page of licenses.
type AdminLicenses struct {
	Licenses []platform.License `json:"licenses"`
	Next     *string            `json:"next" doc:"The next page's cursor; null = this is the last"`
}

type adminLicensesOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body AdminLicenses
}

type adminLicenseInput struct {
	LicenseID string `path:"license_id" format:"uuid"`
}

type adminLicenseOutput struct {
	ETag string `header:"ETag" doc:"For If-Match and If-None-Match"`
	Body platform.LicenseDetails
}

type adminSuspendInput struct {
	LicenseID string `path:"license_id" format:"uuid"`
	Body      struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Its owner may read it."`
	}
}

type adminQuotasInput struct {
	LicenseID string `path:"license_id" format:"uuid"`
	IfMatch   string `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body      struct {
		SamplesPerSecond *int64 `json:"samples_per_second,omitempty" minimum:"0" nullable:"true"`
		BytesPerSecond   *int64 `json:"bytes_per_second,omitempty" minimum:"0" nullable:"true"`
		Servers          *int64 `json:"servers,omitempty" minimum:"0" nullable:"true"`
		MetricNames      *int64 `json:"metric_names,omitempty" minimum:"0" nullable:"true"`
	}
}

func (s *Server) registerAdminLicenses() {
	adminRoute[adminLicensesInput, adminLicensesOutput](s, huma.Operation{
		OperationID: "admin-licenses", Method: http.MethodGet, Path: adminLicensesPath, Summary: "All licenses",
		Description: "Newest first.",
	}, s.adminLicenses)
	adminRoute[adminLicenseInput, adminLicenseOutput](s, huma.Operation{
		OperationID: "admin-license", Method: http.MethodGet, Path: adminLicensePath, Summary: "One license",
	}, s.adminLicense)
	adminRoute[adminSuspendInput, adminLicenseOutput](s, huma.Operation{
		OperationID: "admin-license-suspend", Method: http.MethodPost, Path: adminLicensePath + "/suspend", Summary: "Suspend a license", DefaultStatus: 200,
		Description: "Its NATS connections end within seconds and none is let in, and its tokens are refused, until unsuspend. Again with another reason changes the reason.",
	}, s.adminSuspend)
	adminRoute[adminLicenseInput, adminLicenseOutput](s, huma.Operation{
		OperationID: "admin-license-unsuspend", Method: http.MethodPost, Path: adminLicensePath + "/unsuspend", Summary: "End a suspension", DefaultStatus: 200,
	}, s.adminUnsuspend)
	adminRoute[adminQuotasInput, adminLicenseOutput](s, huma.Operation{
		OperationID: "admin-license-quotas", Method: http.MethodPatch, Path: adminLicensePath + "/quotas", Summary: "Change a license's ingest quotas",
		Description: "What is left out stays, null gives the installation's, 0 is without bound. Ingesters know them half a minute later.",
	}, s.adminQuotas)
}

func (s *Server) adminLicenses(c *fiber.Ctx, in *inputs) error {
	limit, place := in.page("licenses", 2)
	f := platform.LicenseFilter{Search: in.words("search", 100), State: choice(in, "state", "", "active", "suspended"), Limit: limit}
	if len(place) > 0 {
		micros, err := strconv.ParseInt(place[0], 10, 64)
		id, idErr := uuid.Parse(place[1])
		if err != nil || idErr != nil {
			return badCursor(in.one("cursor"))
		}
		f.Before = platform.LicensePlace{At: time.UnixMicro(micros), ID: id}
	}
	if err := in.err(); err != nil {
		return err
	}
	page, next, err := s.deps.Platform.Licenses(c.UserContext(), f)
	if err != nil {
		return err
	}
	answer := AdminLicenses{Licenses: page}
	if next != nil {
		cursor := packPlace("licenses", strconv.FormatInt(next.At.UnixMicro(), 10), next.ID.String())
		answer.Next = &cursor
		linkNext(c, adminLicensesPath, in.values, cursor)
	}
	return sendJSON(c, http.StatusOK, answer)
}

func (s *Server) adminLicense(c *fiber.Ctx, in *inputs) error {
	id, err := pathID(c, "license_id")
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return err
	}
	license, err := s.deps.Platform.License(c.UserContext(), id)
	if err != nil {
		return err
	}
	return sendLicense(c, license)
}

// sendLicense tags a license by what PATCH changes of it.
func sendLicense(c *fiber.Ctx, l platform.LicenseDetails) error {
	return sendTagged(c, http.StatusOK, l, quotasTag(schema.QuotaOverrides{
		SamplesPerSecond: l.Quotas.SamplesPerSecond.Own, BytesPerSecond: l.Quotas.BytesPerSecond.Own,
		Servers: l.Quotas.Servers.Own, MetricNames: l.Quotas.MetricNames.Own,
	}))
}

// quotasTag names a version of a license's own quotas, for If-Match.
func quotasTag(own schema.QuotaOverrides) string {
	document, _ := json.Marshal(own) // plain values
	return strings.Trim(strongTag(document), `"`)
}

func (s *Server) adminSuspend(c *fiber.Ctx, in *inputs) error {
	id, err := pathID(c, "license_id")
	if err != nil {
		return err
	}
	b, err := readBody(c, in, "reason")
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(b.text("reason", platform.MaxReason, false))
	if reason == "" {
		b.fault("reason", "is missing or blank", nil)
	}
	if err := in.err(); err != nil {
		return err
	}
	license, err := s.deps.Platform.Suspend(c.UserContext(), id, reason, stateOf(c).account())
	if err != nil {
		return err
	}
	return sendLicense(c, license)
}

func (s *Server) adminUnsuspend(c *fiber.Ctx, in *inputs) error {
	id, err := pathID(c, "license_id")
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return err
	}
	license, err := s.deps.Platform.Resume(c.UserContext(), id)
	if err != nil {
		return err
	}
	return sendLicense(c, license)
}

func (s *Server) adminQuotas(c *fiber.Ctx, in *inputs) error {
	id, err := pathID(c, "license_id")
	if err != nil {
		return err
	}
	b, err := readBody(c, in, "samples_per_second", "bytes_per_second", "servers", "metric_names")
	if err != nil {
		return err
	}
	b.quotas(schema.QuotaOverrides{}) // finds faults before anything is looked up
	if err := in.err(); err != nil {
		return err
	}
	license, err := s.deps.Platform.SetQuotas(c.UserContext(), id, func(before schema.QuotaOverrides) (schema.QuotaOverrides, error) {
		if !fits(c.Get(fiber.HeaderIfMatch), quotasTag(before)) {
			return before, platform.ErrChanged
		}
		return b.quotas(before), nil
	})
	if err != nil {
		return err
	}
	return sendLicense(c, license)
}

// quotas puts what the body has in place of what stands; null is that of the installation.
func (b *body) quotas(own schema.QuotaOverrides) schema.QuotaOverrides {
	for name, to := range map[string]**int64{
		"samples_per_second": &own.SamplesPerSecond, "bytes_per_second": &own.BytesPerSecond, "servers": &own.Servers, "metric_names": &own.MetricNames,
	} {
		if b.has(name) {
			*to = b.count(name, 0, schema.MaxQuota)
		}
	}
	return own
}

// count is a whole number within bounds; absent and null are nil.
func (b *body) count(name string, least, most int64) *int64 {
	var n int64
	if !b.decode(name, &n, "a whole number") {
		return nil
	}
	if n < least || n > most {
		b.fault(name, "must be from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10), n)
		return nil
	}
	return &n
}
