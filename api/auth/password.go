package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// PasswordParams are the costs of Argon2id; they are stored with every hash, so they can change without locking
// anybody out.
type PasswordParams struct {
	Time      uint32 // passes
	MemoryKiB uint32
	Threads   uint8
}

// DefaultPasswordParams are RFC 9106's second choice but for the memory: 19 MiB and two passes (OWASP's floor) keep a
// burst of sign-ins on a small machine from exhausting it.
func DefaultPasswordParams() PasswordParams {
	return PasswordParams{Time: 2, MemoryKiB: 19 << 10, Threads: 1}
}

// Bounds of what is hashed and of what a stored hash may ask for.
const (
	MinPasswordLen = 8
	MaxPasswordLen = 1024
	saltLen        = 16
	hashLen        = 32
	maxTime        = 16
	maxMemoryKiB   = 1 << 20
)

// What can be wrong with a password or its hash.
var (
	ErrPasswordLength = errors.New("a password has 8 to 1024 bytes")
	ErrPasswordHash   = errors.New("not an Argon2id hash")
)

// HashPassword makes a PHC string: $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func HashPassword(password string, p PasswordParams) (string, error) {
	if len(password) < MinPasswordLen || len(password) > MaxPasswordLen {
		return "", ErrPasswordLength
	}
	return HashFixedPassword(password, p)
}

// HashFixedPassword is HashPassword without the bounds, for a published password such as the demo's.
func HashFixedPassword(password string, p PasswordParams) (string, error) {
	salt := make([]byte, saltLen)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	hash := argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, hashLen)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.MemoryKiB, p.Time, p.Threads, encode(salt), encode(hash)), nil
}

// CheckPassword tells whether password belongs to the PHC string, in time that does not depend on where they differ.
func CheckPassword(phc, password string) (bool, error) {
	p, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	if len(password) > MaxPasswordLen {
		return false, nil
	}
	got := argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// NeedsRehash tells whether a stored hash was made with less time or memory than p: then hash the password anew at the
// next sign-in.
func NeedsRehash(phc string, p PasswordParams) bool {
	stored, _, _, err := parsePHC(phc)
	return err != nil || stored.Time < p.Time || stored.MemoryKiB < p.MemoryKiB
}

// NewPassword makes a one-time password of 26 letters and digits, 130 bits.
func NewPassword() string { return rand.Text() }

func parsePHC(phc string) (p PasswordParams, salt, hash []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, ErrPasswordHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Time, &p.Threads); err != nil {
		return p, nil, nil, ErrPasswordHash
	}
	if p.Time == 0 || p.Time > maxTime || p.MemoryKiB > maxMemoryKiB || p.Threads == 0 {
		return p, nil, nil, ErrPasswordHash
	}
	salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return p, nil, nil, ErrPasswordHash
	}
	hash, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(hash) < 16 {
		return p, nil, nil, ErrPasswordHash
	}
	return p, salt, hash, nil
}
