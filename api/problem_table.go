package api

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/deadletter"
	"corrosion/api/earlyaccess"
	"corrosion/api/encode"
	"corrosion/api/events"
	"corrosion/api/exportjob"
	"corrosion/api/idempotency"
	"corrosion/api/live"
	"corrosion/api/platform"
	"corrosion/api/query"
	"corrosion/api/registry"
)

// problemKind is one line of the table of problems.
type problemKind struct {
	Code   string
	Status int
	Title  string
	// About tells what to do.
	About string
}

// problemKinds is the one table of what can go wrong, for the answers and for the reference.
func problemKinds() []problemKind {
	return slices.Concat([]problemKind{
		{"invalid-request", 422, "The request has faults", "errors[] lists every parameter that is wrong, and why."},
		{query.CodeAggNotKept, 422, "The hours do not keep this aggregation", "Ask for a range within the raw retention, or for another aggregation."},
		{query.CodeTooManyPoints, 422, "The answer would have too many points", "Take a longer step, a shorter range or fewer series."},
		{"too-heavy", 422, "The request needs too much time or memory", "Ask for a shorter range or for fewer servers."},
		{"malformed-request", 400, "The request cannot be read", "It is not valid HTTP, or its URL is badly escaped."},
		{"unauthenticated", 401, "A token is needed", "Send Authorization: Bearer <token>; tokens in URLs are never accepted."},
		{"token-expired", 401, "The token has expired", "Get a new one."},
		{"token-invalid", 401, "The token is not valid", "It is not one of ours, or not for this API."},
		{"license-unknown", 401, "The token's license does not exist", "It may have been erased."},
		{"credentials-invalid", 401, "The email or the password is wrong", "Or the email is not confirmed yet. Which of them it is is not told."},
		{"totp-required", 401, "A code of the second factor is needed", "Send code too: of the authenticator app, or a recovery code."},
		{"refresh-invalid", 401, "The refresh token is not valid", "It was used, has expired or its session has ended: sign in again."},
		{"session-ended", 401, "The session has ended", "Sign in again."},
		{"license-suspended", 403, "The license is suspended", "Its owner can find out why from the operator."},
		{"forbidden", 403, "The role does not allow this", "Ask an admin or the owner of the license."},
		{"scope-needed", 403, "The key's scopes do not allow this", "The reference names the scope of each operation; what names none is for people, who sign in."},
		{"password-change-required", 403, "The password must be changed first", "POST /api/auth/password with the one-time password and one of your own."},
		{"code-wrong", 403, "The code is wrong", "Each code counts once: wait for the next."},
		{"password-wrong", 403, "The current password is wrong", "It is asked for again before what a stolen token must not do."},
		{"account-needed", 403, "Only a person may do this", "The token is a script's: sign in with POST /api/auth/login."},
		{"no-license", 403, "The account belongs to no license", "Make a license, accept an invitation, or get a token for one by POST /api/auth/token."},
		{"registration-closed", 403, "Registration is closed", "Ask the operator for an account."},
		{"cross-site", 403, "The request came from another site", "Cookies count for pages of this server only; scripts send refresh_token in the body."},
		{"not-found", 404, "There is nothing here", "Or it belongs to another license, which looks the same."},
		{"method-not-allowed", 405, "The method is not allowed here", "The header Allow says which are."},
		{"not-acceptable", 406, "No such representation", "Answers are JSON unless the reference says otherwise."},
		{"conflict", 409, "Something of that name is there already", "Take another name, or change what is there."},
		{"last-owner", 409, "A license keeps at least one owner", "Make somebody else an owner first, or erase the license."},
		{"already-member", 409, "The email belongs to a member already", "Change the member's role instead."},
		{"limit-reached", 409, "There are too many of these", "Remove some that are not needed any more."},
		{"other-email", 403, "The invitation is for another email", "Sign in to the account of the email that was invited, or ask to be invited under yours."},
		{"changed", 412, "It was changed since it was read", "Read it again and repeat the change; If-Match must name the ETag that was read last."},
		{"founding-full", 409, "All founding slots are taken", "The email is on the waiting list; slots that nobody confirms fall free."},
		{"totp-on", 409, "There is a second factor already", "Turn it off first."},
		{"totp-off", 409, "There is no second factor", "Enrol one first."},
		{codeExpired, 410, "The cursor is too old", "Samples received since may be gone: start again with an export without after."},
		{"link-invalid", 410, "The link is not valid any more", "It was used or has expired: ask for a new one."},
		{"media-type", 415, "The content type is not known here", "Send application/json."},
		{"request-timeout", 408, "The request came too slowly", "Send it again."},
		{"range-not-satisfiable", 416, "The range is not within the file", "Content-Range says how long the file is."},
		{"too-large", 413, "The request is too large", "Send less at once."},
		{"headers-too-large", 431, "The request's headers are too large", "Send fewer parameters or shorter headers."},
		{"rate-limited", 429, "Too many requests", "Wait as long as Retry-After says; RateLimit tells what is left."},
		{"too-many-tries", 429, "Too many tries", "Wait as long as Retry-After says; each further try makes it longer, up to a limit."},
		{"proof-needed", 429, "Too many requests without a proof of work", "Solve GET /api/early-access/challenge and send it as proof, or wait as long as Retry-After says."},
		{"too-many-exports", 429, "Too many exports at once", "Wait until one of them is done."},
		{"too-many-listeners", 429, "Too many live streams at once", "Close some, or share one between tabs; follow=false takes a place for a moment only."},
		{"too-many-export-jobs", 429, "Too many export jobs", "Wait until one of the license's jobs is done, or delete one."},
		{"export-room", 409, "No room for more export files", "Delete jobs whose files have been fetched; others go by themselves after a day."},
		{"export-not-done", 409, "The job has no files", "Its status says whether they will come or have expired."},
		{"export-elsewhere", 409, "The files lie with another process", "Ask the process that made them; or the operator lets all share one directory."},
		{"confirmation-needed", 409, "The change must be confirmed", "errors[] tells what it deletes; send confirm: true to do it all the same."},
		{"letter-cut", 409, "The letter cannot be replayed", "Only a part of its bytes was kept; the publisher must send them again."},
		{"idempotency-key-reused", 422, "The Idempotency-Key belongs to another request", "Use a new key for a new request."},
		{"idempotency-key-in-use", 409, "The request with this Idempotency-Key is under way", "Send the same again after Retry-After for its answer."},
		{"internal", 500, "Something went wrong here", "Tell the operator the request_id."},
		{"method-unknown", 501, "The method is unknown", "Use GET, HEAD or what the reference names."},
		{"not-ready", 503, "Not ready", "errors[] lists what is missing."},
		{"unavailable", 503, "A store is away or busy", "Try again after Retry-After."},
		{"timeout", 504, "The answer took too long", "Ask for a shorter range, or try again."},
	}, moduleProblems(), installationKinds())
}

// Errors of the handlers' own; the rest comes from the packages below.
var (
	errNoToken          = errors.New("no bearer token")
	errLicenseUnknown   = errors.New("license unknown")
	errLicenseSuspended = errors.New("license suspended")
	errNotFound         = errors.New("not found")
	errMalformed        = errors.New("malformed request")
	errTooManyExports   = errors.New("too many exports")
	errLiveAway         = errors.New("live streams are not served here")
	errRange            = errors.New("range not satisfiable")
	errShutdown         = errors.New("the server is shutting down")
	errPasswordChange   = errors.New("password must be changed")
	errAccountNeeded    = errors.New("not an account's token")
	errNoLicense        = errors.New("account without a license")
	errForbidden        = errors.New("role does not allow this")
	errCrossSite        = errors.New("cookie from another site")
	errScope            = errors.New("the key's scopes do not allow this")
	errErasureAway      = errors.New("licenses are not erased or archived by this process")
)

type sentinel struct {
	err  error
	code string
}

// sentinels maps errors to kinds; the first that matches counts.
func sentinels() []sentinel {
	return slices.Concat(moduleSentinels(), []sentinel{
		{errNoToken, "unauthenticated"},
		{auth.ErrExpired, "token-expired"},
		{auth.ErrMalformed, "token-invalid"},
		{auth.ErrAlgorithm, "token-invalid"},
		{auth.ErrSignature, "token-invalid"},
		{auth.ErrNotYet, "token-invalid"},
		{auth.ErrAudience, "token-invalid"},
		{auth.ErrClaims, "token-invalid"},
		{auth.ErrNoLicense, "token-invalid"},
		{errLicenseUnknown, "license-unknown"},
		{errLicenseSuspended, "license-suspended"},
		{errNotFound, "not-found"},
		{errPasswordChange, "password-change-required"},
		{errAccountNeeded, "account-needed"},
		{errNoLicense, "no-license"},
		{errForbidden, "forbidden"},
		{errCrossSite, "cross-site"},
		{errScope, "scope-needed"},
		{account.ErrCredentials, "credentials-invalid"},
		{account.ErrTOTPRequired, "totp-required"},
		{account.ErrTOTPCode, "code-wrong"},
		{account.ErrRefresh, "refresh-invalid"},
		{account.ErrSessionEnded, "session-ended"},
		{account.ErrPassword, "password-wrong"},
		{account.ErrLink, "link-invalid"},
		{account.ErrClosed, "registration-closed"},
		{earlyaccess.ErrFull, "founding-full"},
		{earlyaccess.ErrItem, "not-found"},
		{earlyaccess.ErrPlace, "not-found"},
		{account.ErrTOTPOn, "totp-on"},
		{account.ErrTOTPOff, "totp-off"},
		{account.ErrNotMember, "not-found"},
		{account.ErrNoSession, "not-found"},
		{account.ErrNoAccount, "not-found"},
		{account.ErrNoRight, "forbidden"},
		{account.ErrLastOwner, "last-owner"},
		{account.ErrMember, "already-member"},
		{account.ErrNoMember, "not-found"},
		{account.ErrNoInvitation, "not-found"},
		{account.ErrOtherEmail, "other-email"},
		{account.ErrNoKey, "not-found"},
		{account.ErrKey, "token-invalid"},
		{account.ErrTooMany, "limit-reached"},
		{account.ErrNoNATSUser, "not-found"},
		{account.ErrNoLicense, "not-found"},
		{account.ErrChanged, "changed"},
		{account.ErrNoErasure, "not-found"},
		{errErasureAway, "unavailable"},
		{auth.ErrBusy, "unavailable"},
		{errMalformed, "malformed-request"},
		{exportjob.ErrNotFound, "not-found"},
		{exportjob.ErrTooMany, "too-many-export-jobs"},
		{exportjob.ErrFull, "export-room"},
		{exportjob.ErrNotDone, "export-not-done"},
		{exportjob.ErrElsewhere, "export-elsewhere"},
		{idempotency.ErrReused, "idempotency-key-reused"},
		{idempotency.ErrInProgress, "idempotency-key-in-use"},
		{errTooManyExports, "too-many-exports"},
		{platform.ErrNoLicense, "not-found"},
		{platform.ErrNoJob, "not-found"},
		{platform.ErrChanged, "changed"},
		{deadletter.ErrNotFound, "not-found"},
		{deadletter.ErrCut, "letter-cut"},
		{errNoNATS, "unavailable"},
		{nats.ErrTimeout, "unavailable"},
		{nats.ErrNoResponders, "unavailable"},
		{nats.ErrConnectionClosed, "unavailable"},
		{nats.ErrConnectionReconnecting, "unavailable"},
		{jetstream.ErrStreamNotFound, "unavailable"},
		{errMediaType, "media-type"},
		{registry.ErrUnknown, "not-found"},
		{registry.ErrExists, "conflict"},
		{registry.ErrChanged, "changed"},
		{events.ErrUnknown, "not-found"},
		{events.ErrTaken, "conflict"},
		{live.ErrTooMany, "too-many-listeners"},
		{errLiveAway, "unavailable"},
		{errRange, "range-not-satisfiable"},
		{errShutdown, "unavailable"},
		{query.ErrTooHeavy, "too-heavy"},
		{query.ErrUnavailable, "unavailable"},
		{encode.ErrUnavailable, "unavailable"},
		{encode.ErrBroken, "unavailable"},
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "unavailable"},
	}, installationSentinels())
}
