package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// The numbers of RFC 6238 that every authenticator app knows.
const (
	totpPeriod = 30
	totpSecret = 20
	// totpSkew is how many steps a phone's clock may be off.
	totpSkew = 1
)

// The shape of recovery codes: 80 random bits in groups.
const (
	RecoveryCodes   = 10
	recoveryBytes   = 10
	recoveryGroup   = 4
	recoveryLetters = 16
)

// NewTOTP makes a secret (base32) and the otpauth URI that authenticator apps read from a QR code.
func NewTOTP(email string) (secret, uri string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Corrosion Stats", AccountName: email, Period: totpPeriod, SecretSize: totpSecret})
	if err != nil {
		return "", "", fmt.Errorf("make a TOTP secret: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// TOTPStep tells which time step around now a code belongs to; false = none. A step must be accepted only once.
func TOTPStep(secret, code string, now time.Time) (step int64, ok bool) {
	options := totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	for skew := int64(-totpSkew); skew <= totpSkew; skew++ {
		at := now.Add(time.Duration(skew) * totpPeriod * time.Second)
		want, err := totp.GenerateCodeCustom(secret, at, options)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at.Unix()/totpPeriod, true
		}
	}
	return step, ok
}

// NewRecoveryCodes makes codes for who has lost the phone, and the digests to store.
func NewRecoveryCodes() (codes []string, digests [][]byte) {
	for range RecoveryCodes {
		raw := make([]byte, recoveryBytes)
		_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
		text := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
		var groups []string
		for i := 0; i < len(text); i += recoveryGroup {
			groups = append(groups, text[i:i+recoveryGroup])
		}
		codes = append(codes, strings.Join(groups, "-"))
		digests = append(digests, digestOf(text))
	}
	return codes, digests
}

// RecoveryDigest reads a recovery code, whatever its case and dashes; false = it cannot be one.
func RecoveryDigest(code string) ([]byte, bool) {
	text := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
	if len(text) != recoveryLetters || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return nil, false
	}
	return digestOf(text), true
}
