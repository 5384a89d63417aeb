package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const pemType = "PRIVATE KEY"

// Keys are the signing keys of one installation. The last one of its file signs; all of them verify, so that a new key
// can be appended while tokens under the old one are still about. Keys is safe for concurrent use.
type Keys struct {
	signing []signingKey
	byID    map[string]ed25519.PublicKey
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
}

// LoadOrCreateKeys reads the PEM file at path, or makes it with one new key and mode 0600 where there is none. Two
// processes that start at once agree on one key. A file that others may read is refused.
func LoadOrCreateKeys(path string) (*Keys, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := createKeyFile(path); err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return LoadKeys(path)
}

// LoadKeys reads the PEM file at path: one or more Ed25519 keys in PKCS #8, oldest first.
func LoadKeys(path string) (*Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("read signing keys: %s has mode %04o: others may read it; make it 0600", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	keys, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %s: %w", path, err)
	}
	return keys, nil
}

// RotateKeys appends a new key to the file at path and makes it the one that signs from the next load on.
func RotateKeys(path string) error {
	if _, err := LoadKeys(path); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	block, err := newKeyPEM()
	if err != nil {
		return err
	}
	temp, err := writeTemp(path, append(old, block...))
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	defer os.Remove(temp)
	return os.Rename(temp, path)
}

func parseKeys(data []byte) (*Keys, error) {
	keys := &Keys{byID: map[string]ed25519.PublicKey{}}
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys.signing)+1, err)
		}
		private, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("key %d is not an Ed25519 key", len(keys.signing)+1)
		}
		keys.add(private)
	}
	if len(keys.signing) == 0 {
		return nil, errors.New("no PEM block with a private key")
	}
	return keys, nil
}

func (k *Keys) add(private ed25519.PrivateKey) {
	public := private.Public().(ed25519.PublicKey)
	id := keyID(public)
	k.signing = append(k.signing, signingKey{id: id, private: private})
	k.byID[id] = public
}

func (k *Keys) newest() signingKey { return k.signing[len(k.signing)-1] }

// keyID is derived from the public key, so that it needs no store of its own.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func newKeyPEM() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// createKeyFile puts a complete file in place or leaves the one that another process just made: a link fails where the
// name exists, and a rename would not.
func createKeyFile(path string) error {
	block, err := newKeyPEM()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := writeTemp(path, block)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeTemp writes data, mode 0600 and synced, to a new file beside path.
func writeTemp(path string, data []byte) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
