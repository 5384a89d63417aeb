package local

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secrets are the passwords of the local services; they never leave the data
// directory but for endpoints.json.
type secrets struct {
	NATS          string `json:"nats"`
	ClickHouse    string `json:"clickhouse"`
	Operator      string `json:"clickhouse_operator"`
	Postgres      string `json:"postgres"`
	PostgresSuper string `json:"postgres_superuser"`
}

// loadSecrets reads secrets.json and makes what it lacks.
func loadSecrets(dir string) (secrets, error) {
	var s secrets
	path := filepath.Join(dir, "secrets.json")
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return s, fmt.Errorf("read secrets: %w", err)
	default:
		if err := json.Unmarshal(raw, &s); err != nil {
			return s, fmt.Errorf("parse secrets.json: %w", err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return s, fmt.Errorf("protect secrets: %w", err)
		}
	}
	made := false
	for _, secret := range []*string{&s.NATS, &s.ClickHouse, &s.Operator, &s.Postgres, &s.PostgresSuper} {
		if *secret == "" {
			*secret, made = newSecret(), true
		}
	}
	if !made {
		return s, nil
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, fmt.Errorf("encode secrets: %w", err)
	}
	return s, writeAtomically(path, append(content, '\n'))
}

// newSecret has 192 random bits and needs no escaping in a URL.
func newSecret() string {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
