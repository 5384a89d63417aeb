package command

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// SignatureHeader carries the signatures of a command, one a value: base64 of Ed25519 over signed(payload).
const SignatureHeader = "Corrosion-Signature"

// maxSignatures bounds what an agent looks at.
const maxSignatures = 8

// domain keeps signatures of commands apart from any other that the same key might make.
const domain = "corrosion agent command v1\n"

func signed(payload []byte) []byte { return append([]byte(domain), payload...) }

// Why an agent refuses a command.
var (
	ErrUnsigned  = errors.New("the command is not signed by a key that this agent was enrolled with")
	ErrMalformed = errors.New("the command cannot be read")
	ErrForeign   = errors.New("the command is for another agent")
	ErrExpired   = errors.New("the command has expired")
)

// Signer signs with every key of the platform; *auth.Keys is one.
type Signer interface {
	SignAll(message []byte) [][]byte
}

// Sign checks a command and gives its payload and the values of SignatureHeader.
func Sign(c Command, signer Signer) (payload []byte, signatures []string, err error) {
	if err := c.Check(); err != nil {
		return nil, nil, fmt.Errorf("sign command: %w", err)
	}
	if payload, err = c.encode(); err != nil {
		return nil, nil, err
	}
	for _, signature := range signer.SignAll(signed(payload)) {
		signatures = append(signatures, base64.StdEncoding.EncodeToString(signature))
	}
	return payload, signatures, nil
}

// Recipient is an agent that commands are opened for.
type Recipient struct {
	License uuid.UUID
	Server  string
	Keys    []ed25519.PublicKey // at least one
}

// Open reads a command that was signed for this agent and has not expired at now. Nothing of it is read before a
// signature holds. It fails with ErrUnsigned, ErrMalformed, ErrForeign or ErrExpired; with the last the command is given.
func (r Recipient) Open(payload []byte, signatures []string, now time.Time) (Command, error) {
	if len(payload) > MaxBytes || !r.genuine(payload, signatures) {
		return Command{}, ErrUnsigned
	}
	var c Command
	if err := json.Unmarshal(payload, &c); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if c.License != r.License || c.Server != r.Server {
		return Command{}, ErrForeign
	}
	if err := c.Check(); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

func (r Recipient) genuine(payload []byte, signatures []string) bool {
	message := signed(payload)
	for i, text := range signatures {
		signature, err := base64.StdEncoding.Strict().DecodeString(text)
		if i == maxSignatures || err != nil || len(signature) != ed25519.SignatureSize {
			return false
		}
		for _, key := range r.Keys {
			if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature) {
				return true
			}
		}
	}
	return false
}

// ParseKey reads a public key as enrolment prints it: base64.
func ParseKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("is not an Ed25519 public key in base64")
	}
	if bytes.Equal(key, make([]byte, len(key))) {
		return nil, errors.New("is an empty key")
	}
	return key, nil
}
