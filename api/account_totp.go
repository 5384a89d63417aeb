package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/account"
)

// EnrolBody begins a second factor.
type EnrolBody struct {
	_        struct{} `json:"-" additionalProperties:"false"`
	Password string   `json:"password" minLength:"1" doc:"Asked for again: a stolen token must not lock its owner out"`
}

// EnrolledBody is what an authenticator app needs.
type EnrolledBody struct {
	Secret string `json:"secret" doc:"Base32, to type in; shown once"`
	URI    string `json:"uri" doc:"otpauth URI, for a QR code"`
}

// CodeBody is one code of the app.
type CodeBody struct {
	_    struct{} `json:"-" additionalProperties:"false"`
	Code string   `json:"code" minLength:"1" maxLength:"40"`
}

// SecondFactorBody is password and code.
type SecondFactorBody struct {
	_        struct{} `json:"-" additionalProperties:"false"`
	Password string   `json:"password" minLength:"1"`
	Code     string   `json:"code" minLength:"1" maxLength:"40" doc:"Of the app; to turn the second factor off, a recovery code does too"`
}

// RecoveryCodesBody are for who has lost the phone.
type RecoveryCodesBody struct {
	RecoveryCodes []string `json:"recovery_codes" doc:"Shown once; each counts once"`
}

type recoveryOutput struct{ Body RecoveryCodesBody }

func (s *Server) registerTOTP() {
	registerAccount(s, huma.Operation{
		OperationID: "enrolTOTP", Method: http.MethodPost, Path: totpPath, Security: private(),
		Summary: "Begin a second factor", Description: "It counts once its first code has been confirmed; until then it can be begun anew.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body EnrolBody }) (*struct{ Body EnrolledBody }, error) {
		e, err := asPerson(st, func(who account.Person) (account.Enrolment, error) {
			return s.deps.Accounts.EnrolTOTP(ctx, who, in.Body.Password)
		})
		return &struct{ Body EnrolledBody }{EnrolledBody{Secret: e.Secret, URI: e.URI}}, err
	})
	registerAccount(s, huma.Operation{
		OperationID: "confirmTOTP", Method: http.MethodPost, Path: totpPath + "/confirm", Security: private(),
		Summary: "Turn the second factor on", Description: "Gives ten recovery codes.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body CodeBody }) (*recoveryOutput, error) {
		codes, err := asPerson(st, func(who account.Person) ([]string, error) { return s.deps.Accounts.ConfirmTOTP(ctx, who, in.Body.Code) })
		return &recoveryOutput{RecoveryCodesBody{codes}}, err
	})
	registerAccount(s, huma.Operation{
		OperationID: "disableTOTP", Method: http.MethodPost, Path: totpPath + "/disable", Security: private(),
		DefaultStatus: http.StatusNoContent, Summary: "Turn the second factor off",
	}, func(ctx context.Context, st *requestState, in *struct{ Body SecondFactorBody }) (*struct{}, error) {
		return asPerson(st, func(who account.Person) (*struct{}, error) {
			return nil, s.deps.Accounts.DisableTOTP(ctx, who, in.Body.Password, in.Body.Code)
		})
	})
	registerAccount(s, huma.Operation{
		OperationID: "replaceRecoveryCodes", Method: http.MethodPost, Path: totpPath + "/recovery-codes", Security: private(),
		Summary: "Replace all recovery codes",
	}, func(ctx context.Context, st *requestState, in *struct{ Body SecondFactorBody }) (*recoveryOutput, error) {
		codes, err := asPerson(st, func(who account.Person) ([]string, error) {
			return s.deps.Accounts.NewRecoveryCodes(ctx, who, in.Body.Password, in.Body.Code)
		})
		return &recoveryOutput{RecoveryCodesBody{codes}}, err
	})
}

// asPerson runs do for who asks.
func asPerson[T any](st *requestState, do func(account.Person) (T, error)) (result T, err error) {
	who, err := st.person()
	if err != nil {
		return result, err
	}
	return do(who)
}
