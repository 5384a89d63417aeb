// Package auth says who is asking: it issues and verifies the bearer tokens of people and scripts, and hashes
// passwords.
//
// A token is a JWT under one pinned algorithm, EdDSA with Ed25519. Nothing in a token chooses how it is verified: its
// kid only picks among our own public keys.
package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Issuer and Audience are the claims iss and aud of every token.
const (
	Issuer   = "corrosion"
	Audience = "corrosion-api"
)

// The bounds of a token's life.
const (
	DefaultTTL = time.Hour
	MaxTTL     = 400 * 24 * time.Hour
	// leeway forgives clocks that differ between machines.
	leeway = 5 * time.Second
)

// What can be wrong with a token. Every error of Verify is one of these, and none quotes the token.
var (
	ErrMalformed = errors.New("the token is not a JWT")
	ErrAlgorithm = errors.New("the token is not signed with EdDSA")
	ErrSignature = errors.New("the token's signature is not ours")
	ErrExpired   = errors.New("the token has expired")
	ErrNotYet    = errors.New("the token is not valid yet")
	ErrAudience  = errors.New("the token is for another audience or from another issuer")
	ErrClaims    = errors.New("the token lacks a claim or has a bad one")
	ErrNoLicense = errors.New("the token names no license")
)

// Role is what a member may do within a license.
type Role string

// The roles, the mightiest first: each may do what the next may.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Viewer Role = "viewer"
)

func (r Role) rank() int {
	switch r {
	case Owner:
		return 3
	case Admin:
		return 2
	case Viewer:
		return 1
	}
	return 0
}

// Valid tells whether r is a known role.
func (r Role) Valid() bool { return r.rank() > 0 }

// AtLeast tells whether r may do what needed may. An unknown role may nothing.
func (r Role) AtLeast(needed Role) bool { return r.Valid() && r.rank() >= needed.rank() }

// Identity is who a verified token speaks for.
type Identity struct {
	// Subject is the account's id, or a script's name.
	Subject string
	// License is uuid.Nil and Role empty in the token of an account that belongs to no license.
	License uuid.UUID
	Role    Role
	// Session is the sign-in that the token came from; uuid.Nil in tokens of scripts.
	Session uuid.UUID
	// PlatformAdmin may use the routes below /api/admin/.
	PlatformAdmin bool
	// MustChangePassword allows nothing but to change the password.
	MustChangePassword bool
	// Key is the API key that asks, which may do what its scopes allow and nothing else; nil in tokens.
	Key *Key
	// TokenID is the claim jti.
	TokenID   string
	ExpiresAt time.Time
}

// Account is the id of the account that a token of a person speaks for; false in tokens of scripts.
func (id Identity) Account() (uuid.UUID, bool) {
	account, err := uuid.Parse(id.Subject)
	return account, err == nil && id.Session != uuid.Nil
}

type claims struct {
	jwt.RegisteredClaims
	LicenseID      string `json:"license_id,omitempty"`
	Role           Role   `json:"role,omitempty"`
	SessionID      string `json:"sid,omitempty"`
	PlatformAdmin  bool   `json:"platform_admin,omitempty"`
	PasswordChange bool   `json:"password_change,omitempty"`
}

// Issue makes a token for id that lives for ttl from now; ttl is at least a second and at most MaxTTL. TokenID is
// made where it is empty; ExpiresAt is ignored.
func (k *Keys) Issue(id Identity, now time.Time, ttl time.Duration) (string, error) {
	if ttl < time.Second || ttl > MaxTTL {
		return "", fmt.Errorf("issue token: life of %s is not within 1s and %s", ttl, MaxTTL)
	}
	if !id.complete() {
		return "", fmt.Errorf("issue token: %w", ErrClaims)
	}
	if id.TokenID == "" {
		id.TokenID = uuid.Must(uuid.NewV7()).String()
	}
	body := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: id.Subject, ID: id.TokenID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
		LicenseID: textOf(id.License), Role: id.Role, SessionID: textOf(id.Session),
		PlatformAdmin: id.PlatformAdmin, PasswordChange: id.MustChangePassword,
	}
	return k.sign(body)
}

// complete tells whether an identity can stand in a token: it needs a license with a role, or a session.
func (id Identity) complete() bool {
	if id.License == uuid.Nil {
		return id.Subject != "" && id.Session != uuid.Nil && id.Role == ""
	}
	return id.Subject != "" && id.Role.Valid()
}

// textOf is "" for the nil UUID, so that the claim is left out.
func textOf(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func (k *Keys) sign(body claims) (string, error) {
	k.reload(signerAge)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, body)
	signer := k.newest()
	token.Header["kid"] = signer.id
	signed, err := token.SignedString(signer.private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// Verify reads a token as of now. It fails with one of the errors above.
func (k *Keys) Verify(token string, now time.Time) (Identity, error) {
	under := k.ring()
	if id, known := k.known.find(token, under, now); known {
		return id, nil
	}
	id, err := k.verify(token, now)
	if err == nil && k.ring() == under {
		k.known.add(token, knownToken{id, under, now})
	}
	return id, err
}

func (k *Keys) verify(token string, now time.Time) (Identity, error) {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(Issuer), jwt.WithAudience(Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c claims
	if _, err := parser.ParseWithClaims(token, &c, k.verificationKey); err != nil {
		return Identity{}, classify(err)
	}
	return c.identity()
}

func (k *Keys) verificationKey(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	if key, ok := k.ring().byID[id]; ok {
		return key, nil
	}
	// Another process may have rotated the keys a moment ago.
	k.reload(strangerAge)
	if key, ok := k.ring().byID[id]; ok {
		return key, nil
	}
	return nil, ErrSignature
}

// classify turns the library's joined errors into one of ours; the gravest wins, so that an expired token with a bad
// signature is a bad signature.
func classify(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return ErrMalformed
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && !errors.Is(err, jwt.ErrEd25519Verification):
		return ErrAlgorithm
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, ErrSignature), errors.Is(err, jwt.ErrTokenUnverifiable):
		return ErrSignature
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return ErrAudience
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return ErrNotYet
	default:
		return ErrClaims
	}
}

func (c *claims) identity() (Identity, error) {
	session, err := parseClaim(c.SessionID)
	if err != nil {
		return Identity{}, ErrClaims
	}
	license, err := parseClaim(c.LicenseID)
	if err != nil || license == uuid.Nil && session == uuid.Nil {
		return Identity{}, ErrNoLicense
	}
	id := Identity{
		Subject: c.Subject, License: license, Role: c.Role, Session: session, PlatformAdmin: c.PlatformAdmin,
		MustChangePassword: c.PasswordChange, TokenID: c.ID, ExpiresAt: c.ExpiresAt.Time,
	}
	if !id.complete() || c.ID == "" || c.IssuedAt == nil {
		return Identity{}, ErrClaims
	}
	return id, nil
}

// parseClaim reads a UUID; an absent one is the nil UUID, which may not be written out.
func parseClaim(text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, ErrClaims
	}
	return id, nil
}
