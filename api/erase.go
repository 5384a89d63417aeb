package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/erasure"
)

// EraseBody erases a license.
type EraseBody struct {
	_    struct{} `json:"-" additionalProperties:"false"`
	Name string   `json:"name" minLength:"1" maxLength:"800" doc:"The license's name, so that it is not another one by mistake"`
	ProofBody
}

// ErasureBody is an erasure under way, or its receipt.
type ErasureBody struct {
	ErasureID  uuid.UUID      `json:"erasure_id"`
	LicenseID  uuid.UUID      `json:"license_id"`
	Status     string         `json:"status" enum:"pending,erasing,erased" doc:"erased = a last look has found nothing left in any store"`
	AskedAt    time.Time      `json:"asked_at"`
	FinishedAt *time.Time     `json:"finished_at"`
	Passes     int            `json:"passes" doc:"How often every store has been looked through"`
	Removed    erasure.Counts `json:"removed" doc:"Rows and messages by where they stood, as in clickhouse.samples"`
}

type erasureOutput struct {
	Location string `header:"Location"`
	Body     ErasureBody
}

type erasureInput struct {
	ID string `path:"id" format:"uuid" doc:"The erasure"`
}

func (s *Server) registerErasing() {
	registerMember(s, huma.Operation{
		OperationID: "eraseLicense", Method: http.MethodDelete, Path: licensePath, DefaultStatus: http.StatusAccepted, Summary: "Erase the license and all that belongs to it",
		Description: "For owners, with the license's name and their password. It cannot be taken back: take an archive first. The license is shut at once; " +
			"its rows in PostgreSQL and ClickHouse and its messages in NATS are removed, and some two minutes later a last look makes sure that nothing came after. " +
			"Accounts of its people stay.",
	}, s.erase)
	registerAccount(s, huma.Operation{
		OperationID: "getErasure", Method: http.MethodGet, Path: erasuresPath + "/{id}", Security: private(), Tags: []string{"Licenses"},
		Summary: "How far an erasure is, and its receipt", Description: "For the account that asked for it.",
	}, s.showErasure)
}

func (s *Server) erase(ctx context.Context, who account.Person, in *struct{ Body EraseBody }) (*erasureOutput, error) {
	if s.deps.Erasures == nil {
		return nil, errErasureAway
	}
	id, err := s.deps.Accounts.Erase(ctx, who, in.Body.Name, in.Body.Password, in.Body.Code)
	if errors.Is(err, account.ErrOtherName) {
		return nil, bodyFault("name", account.ErrOtherName)
	}
	if err != nil {
		return nil, proofFault(err)
	}
	s.deps.Erasures.Wake()
	return s.erasure(ctx, who, id)
}

func (s *Server) showErasure(ctx context.Context, st *requestState, in *erasureInput) (*struct{ Body ErasureBody }, error) {
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	id, err := idOf(in.ID)
	if err != nil {
		return nil, err
	}
	out, err := s.erasure(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ErasureBody }{out.Body}, nil
}

func (s *Server) erasure(ctx context.Context, who account.Person, id uuid.UUID) (*erasureOutput, error) {
	row, err := s.deps.Accounts.Erasure(ctx, who, id)
	if err != nil {
		return nil, err
	}
	body := ErasureBody{
		ErasureID: row.ID, LicenseID: row.License, Status: "pending", AskedAt: row.AskedAt.UTC(), FinishedAt: utc(row.FinishedAt), Passes: int(row.Passes),
	}
	switch {
	case row.FinishedAt != nil:
		body.Status = "erased"
	case row.Passes > 0:
		body.Status = "erasing"
	}
	if err := json.Unmarshal(row.Removed, &body.Removed); err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	return &erasureOutput{erasuresPath + "/" + id.String(), body}, nil
}
