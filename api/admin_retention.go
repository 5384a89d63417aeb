package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/platform"
	"corrosion/api/query"
	"corrosion/schema"
)

const adminRetentionPath = adminPrefix + "/retention"

type adminRetentionOutput struct {
	ETag string `header:"ETag" doc:"For If-Match and If-None-Match"`
	Body platform.Kept
}

type adminLossesInput struct {
	RawDays    string `query:"raw_days" doc:"Days that raw samples would be kept: 1 to 3650; absent = as it is."`
	HourlyDays string `query:"hourly_days" doc:"Days that hours would be kept, from raw_days to 3650; absent = as it is."`
}

// AdminLosses is what a change would delete.
type AdminLosses struct {
	Losses []platform.Loss `json:"losses" doc:"One entry a table whose limit shrinks; empty = nothing is lost"`
}

type adminLossesOutput struct{ Body AdminLosses }

type adminRetentionInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body    struct {
		RawDays    *int `json:"raw_days,omitempty" minimum:"1" maximum:"3650" doc:"Days that raw samples are kept; absent = as it is."`
		HourlyDays *int `json:"hourly_days,omitempty" minimum:"1" maximum:"3650" doc:"Days that hours are kept, from raw_days; absent = as it is."`
		Confirm    bool `json:"confirm,omitempty" doc:"Needed where a shorter time deletes rows: GET …/losses tells which."`
	}
}

func (s *Server) registerAdminRetention() {
	adminRoute[struct{}, adminRetentionOutput](s, huma.Operation{
		OperationID: "admin-retention", Method: http.MethodGet, Path: adminRetentionPath, Summary: "How long rows are kept",
		Description: "As ClickHouse has it, table by table.",
	}, s.adminRetention)
	adminRoute[adminLossesInput, adminLossesOutput](s, huma.Operation{
		OperationID: "admin-retention-losses", Method: http.MethodGet, Path: adminRetentionPath + "/losses", Summary: "What a change of retention would delete",
	}, s.adminLosses)
	adminRoute[adminRetentionInput, adminRetentionOutput](s, huma.Operation{
		OperationID: "admin-retention-change", Method: http.MethodPatch, Path: adminRetentionPath, Summary: "Change how long rows are kept",
		Description: "A shorter time deletes rows of all licenses: without confirm nothing changes and the answer is confirmation-needed, with what would be lost. " +
			"Whole days fall within minutes.",
	}, s.adminSetRetention)
}

func (s *Server) adminRetention(c *fiber.Ctx, in *inputs) error {
	if err := in.err(); err != nil {
		return err
	}
	kept, err := s.deps.Platform.Retention(c.UserContext())
	if err != nil {
		return query.Classify(c.UserContext(), err)
	}
	return sendRetention(c, kept)
}

func (s *Server) adminLosses(c *fiber.Ctx, in *inputs) error {
	var change platform.RetentionChange
	for name, to := range map[string]**int{"raw_days": &change.RawDays, "hourly_days": &change.HourlyDays} {
		if days := in.number(name, 1, 3650); days > 0 {
			*to = &days
		}
	}
	if err := in.err(); err != nil {
		return err
	}
	losses, err := s.deps.Platform.Losses(c.UserContext(), change)
	if err != nil {
		return retentionFault(c, "query.hourly_days", err)
	}
	return sendJSON(c, http.StatusOK, AdminLosses{losses})
}

func (s *Server) adminSetRetention(c *fiber.Ctx, in *inputs) error {
	b, err := readBody(c, in, "raw_days", "hourly_days", "confirm")
	if err != nil {
		return err
	}
	change := platform.RetentionChange{RawDays: b.days("raw_days"), HourlyDays: b.days("hourly_days")}
	var confirm bool
	b.decode("confirm", &confirm, "true or false")
	if err := in.err(); err != nil {
		return err
	}
	const day = 24 * time.Hour
	match := c.Get(fiber.HeaderIfMatch)
	kept, err := s.deps.Platform.SetRetention(c.UserContext(), change, confirm, func(now schema.Retention) bool {
		return fits(match, retentionTag(int(now.Raw/day), int(now.Hourly/day)))
	})
	if err != nil {
		return retentionFault(c, "body.hourly_days", err)
	}
	return sendRetention(c, kept)
}

// sendRetention tags it by what PATCH changes of it: how much the tables hold changes by itself.
func sendRetention(c *fiber.Ctx, kept platform.Kept) error {
	return sendTagged(c, http.StatusOK, kept, retentionTag(kept.RawDays, kept.HourlyDays))
}

func retentionTag(rawDays, hourlyDays int) string {
	return strings.Trim(strongTag(fmt.Appendf(nil, "retention %d %d", rawDays, hourlyDays)), `"`)
}

func (b *body) days(name string) *int {
	n := b.count(name, 1, 3650)
	if n == nil {
		return nil
	}
	days := int(*n)
	return &days
}

// retentionFault tells a retention that cannot be from one that deletes rows, and both from a store that is away.
func retentionFault(c *fiber.Ctx, location string, err error) error {
	var lost *platform.LossError
	switch {
	case errors.Is(err, platform.ErrChanged):
		return err
	case errors.Is(err, platform.ErrRetention):
		return invalid(location, err.Error(), nil)
	case errors.As(err, &lost):
		p := kindProblem("confirmation-needed")
		for _, l := range lost.Losses {
			p.Errors = append(p.Errors, ProblemError{
				Location: "body.confirm", Value: l,
				Message: fmt.Sprintf("%s would lose %d rows, %d bytes", l.Table, l.Rows, l.Bytes),
			})
		}
		return p
	}
	return query.Classify(c.UserContext(), err)
}
