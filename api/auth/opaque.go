package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// TokenKind is what a random token is for. It stands before the token, so that one kind is never taken for another, and
// so that scanners for leaked secrets know it.
type TokenKind string

// The kinds of random tokens.
const (
	RefreshToken TokenKind = "crr_"
	ResetToken   TokenKind = "crp_"
	ConfirmToken TokenKind = "crc_"
	// EarlyAccessToken stands in links that confirm places and votes.
	EarlyAccessToken TokenKind = "cre_"
	InviteToken      TokenKind = "cri_"
	APIKey           TokenKind = "ck_"
)

// opaqueLen is the length of the random part, bytes.
const opaqueLen = 32

// ErrOpaque says that a text is no token of the kind that was expected.
var ErrOpaque = errors.New("not a token of this kind")

// NewToken makes a token of 256 random bits. The digest is what is stored: the token is too random to be guessed from it.
func NewToken(kind TokenKind) (token string, digest []byte) {
	raw := make([]byte, opaqueLen)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	token = string(kind) + base64.RawURLEncoding.EncodeToString(raw)
	return token, digestOf(token)
}

// TokenDigest gives the digest of a token that was presented, or ErrOpaque for what NewToken cannot have made.
func TokenDigest(kind TokenKind, token string) ([]byte, error) {
	text, ok := strings.CutPrefix(token, string(kind))
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(opaqueLen) {
		return nil, ErrOpaque
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != opaqueLen {
		return nil, ErrOpaque
	}
	return digestOf(token), nil
}

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
