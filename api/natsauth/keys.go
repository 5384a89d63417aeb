package natsauth

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"text/template"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
)

// Names in the configuration of a NATS server.
const (
	defaultAccount = "CORROSION"
	platformUser   = "corrosion"
	systemUser     = "corrosion-system"
)

// Keys are what a stock NATS server and the platform must agree on. Issuer
// signs rights, XKey encrypts questions and answers, the two users are the
// platform's: one in its account, one in the servers' system account.
type Keys struct {
	Account          string `json:"account"`
	IssuerSeed       string `json:"issuer_seed"`
	XKeySeed         string `json:"xkey_seed"`
	PlatformUser     string `json:"platform_user"`
	PlatformPassword string `json:"platform_password"`
	SystemUser       string `json:"system_user"`
	SystemPassword   string `json:"system_password"`
}

// LoadKeys reads a key file; others must not be able to.
func LoadKeys(path string) (Keys, error) {
	var keys Keys
	raw, err := os.ReadFile(path)
	if err != nil {
		return keys, fmt.Errorf("read NATS callout keys: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return keys, fmt.Errorf("read NATS callout keys: %w", err)
	}
	if info.Mode().Perm()&0o037 != 0 {
		return keys, fmt.Errorf("read NATS callout keys: %s can be read by others (mode %o): chmod 600 it", path, info.Mode().Perm())
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&keys); err != nil {
		return keys, fmt.Errorf("parse NATS callout keys in %s: %w", path, err)
	}
	return keys, keys.Validate()
}

// LoadOrCreateKeys reads a key file, or makes it with mode 0600.
func LoadOrCreateKeys(path string) (Keys, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if keys, err = newKeys(); err != nil {
		return keys, err
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return keys, fmt.Errorf("encode NATS callout keys: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return keys, fmt.Errorf("keep NATS callout keys: %w", err)
	}
	if err := createExclusively(path, append(text, '\n')); errors.Is(err, fs.ErrExist) {
		return LoadKeys(path) // another process was first
	} else if err != nil {
		return keys, fmt.Errorf("keep NATS callout keys: %w", err)
	}
	return keys, nil
}

// createExclusively makes a whole file or none; it never replaces one.
func createExclusively(path string, content []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".nats-callout-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(content)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Link(draft.Name(), path)
}

func newKeys() (Keys, error) {
	issuer, err := nkeys.CreateAccount()
	if err != nil {
		return Keys{}, fmt.Errorf("make the issuer key: %w", err)
	}
	box, err := nkeys.CreateCurveKeys()
	if err != nil {
		return Keys{}, fmt.Errorf("make the xkey: %w", err)
	}
	issuerSeed, err := issuer.Seed()
	if err != nil {
		return Keys{}, fmt.Errorf("make the issuer key: %w", err)
	}
	boxSeed, err := box.Seed()
	if err != nil {
		return Keys{}, fmt.Errorf("make the xkey: %w", err)
	}
	return Keys{
		Account: defaultAccount, IssuerSeed: string(issuerSeed), XKeySeed: string(boxSeed),
		PlatformUser: platformUser, PlatformPassword: newPassword(), SystemUser: systemUser, SystemPassword: newPassword(),
	}, nil
}

// newPassword has 192 bits and needs no escaping in a URL.
func newPassword() string {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// natsName is what stands in a NATS configuration without quotes or escapes.
var natsName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate names every field at fault and repeats no secret.
func (k Keys) Validate() error {
	var faults []error
	if _, err := k.issuer(); err != nil {
		faults = append(faults, err)
	}
	if _, err := k.box(); err != nil {
		faults = append(faults, err)
	}
	for field, name := range map[string]string{"account": k.Account, "platform_user": k.PlatformUser, "system_user": k.SystemUser} {
		if !natsName.MatchString(name) {
			faults = append(faults, fmt.Errorf("%s must be 1 to 64 of A-Z a-z 0-9 _ -", field))
		}
	}
	if k.PlatformUser == k.SystemUser {
		faults = append(faults, errors.New("platform_user and system_user must differ"))
	}
	if len(k.PlatformPassword) < 16 || len(k.SystemPassword) < 16 {
		faults = append(faults, errors.New("passwords must have at least 16 characters"))
	}
	return wrapFaults("NATS callout key", faults)
}

// issuer is the public key that signs rights.
func (k Keys) issuer() (string, error) {
	pair, err := nkeys.FromSeed([]byte(k.IssuerSeed))
	if err != nil {
		return "", errors.New("issuer_seed is no nkey seed")
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicAccountKey(public) {
		return "", errors.New("issuer_seed is no seed of an account")
	}
	return public, nil
}

// box is the public key that questions are encrypted for.
func (k Keys) box() (string, error) {
	pair, err := nkeys.FromCurveSeed([]byte(k.XKeySeed))
	if err != nil {
		return "", errors.New("xkey_seed is no seed of an xkey")
	}
	public, err := pair.PublicKey()
	if err != nil {
		return "", errors.New("xkey_seed is no seed of an xkey")
	}
	return public, nil
}

//go:embed nats-server.conf.tmpl
var serverConfig string

// ServerConfig is what a stock nats-server's configuration must have. Passwords
// stand there as bcrypt digests only.
func (k Keys) ServerConfig() (string, error) {
	if err := k.Validate(); err != nil {
		return "", err
	}
	issuer, _ := k.issuer() // Validate has read both
	box, _ := k.box()
	platform, err := bcrypt.GenerateFromPassword([]byte(k.PlatformPassword), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	system, err := bcrypt.GenerateFromPassword([]byte(k.SystemPassword), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	text, err := template.New("nats-server.conf").Option("missingkey=error").Parse(serverConfig)
	if err != nil {
		return "", fmt.Errorf("read the template: %w", err)
	}
	var out bytes.Buffer
	err = text.Execute(&out, map[string]string{
		"Account": k.Account, "Issuer": issuer, "XKey": box,
		"PlatformUser": k.PlatformUser, "PlatformHash": string(platform), "SystemUser": k.SystemUser, "SystemHash": string(system),
	})
	if err != nil {
		return "", fmt.Errorf("fill the template: %w", err)
	}
	return out.String(), nil
}
