package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// ErrSeal says that a sealed value was not made by this installation, or not as it is.
var ErrSeal = errors.New("sealed value is not ours")

// sealSize is how many bytes of HMAC-SHA-256 stand behind a sealed value.
const sealSize = 16

// Seal makes value an opaque text that a client may keep and give back, and cannot change. It is not secret. purpose
// keeps values of different kinds apart.
func (k *Keys) Seal(purpose string, value []byte) (string, error) {
	mac, err := k.newest().mac(purpose, value)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{}, value...), mac...)), nil
}

// Unseal gives back what Seal was given, under whichever of the keys, or ErrSeal.
func (k *Keys) Unseal(purpose, text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < sealSize {
		return nil, ErrSeal
	}
	value, sent := raw[:len(raw)-sealSize], raw[len(raw)-sealSize:]
	for _, key := range k.ring().signing {
		mac, err := key.mac(purpose, value)
		if err != nil {
			return nil, err
		}
		if hmac.Equal(mac, sent) {
			return value, nil
		}
	}
	return nil, ErrSeal
}

// mac is under a key of its own, derived from the signing key and the purpose.
func (s signingKey) mac(purpose string, value []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, s.private.Seed(), nil, "corrosion seal "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write(value)
	return h.Sum(nil)[:sealSize], nil
}
