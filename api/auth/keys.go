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
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const pemType = "PRIVATE KEY"

// Keys are the signing keys of one installation. The last one of its file signs; all of them verify, so that a new key
// can be appended while tokens under the old one are still about. The file is read again when it has changed. Keys is
// safe for concurrent use.
type Keys struct {
	known knownTokens

	path    string
	current atomic.Pointer[ring]

	mu      sync.Mutex
	checked time.Time
}

// ring is what one state of the file holds.
type ring struct {
	signing []signingKey
	byID    map[string]ed25519.PublicKey
	version fileVersion
}

// fileVersion tells states of the file apart: each is a file of its own, put in place by a rename.
type fileVersion struct {
	modified time.Time
	size     int64
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
	created time.Time
}

// KeyInfo describes one key without telling it.
type KeyInfo struct {
	ID string `json:"kid"`
	// Created is zero for keys of the first files, which did not say.
	Created time.Time `json:"created,omitzero"`
	// Signs is true for the newest: it signs, the others verify what they signed.
	Signs bool `json:"signs"`
}

// How old the last look at the file may be: for signing, and for a token under a key that is not known.
const (
	signerAge   = 10 * time.Second
	strangerAge = time.Second
)

// KeyFileOthers are the bits of a mode that no file of keys may have. The group may read it: so orchestrators hand
// secrets to processes that are not root.
const KeyFileOthers = 0o037

// createdHeader is the PEM header that says when a key was made.
const createdHeader = "Created"

// LoadOrCreateKeys reads the PEM file at path, or makes it with one new key and mode 0600 where there is none. Two
// processes that start at once agree on one key. A file that others may read is refused.
func LoadOrCreateKeys(path string) (*Keys, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := createKeyFile(path, time.Now()); err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return LoadKeys(path)
}

// LoadKeys reads the PEM file at path: one or more Ed25519 keys in PKCS #8, oldest first.
func LoadKeys(path string) (*Keys, error) {
	r, err := loadRing(path)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	k := &Keys{path: path, checked: time.Now()}
	k.current.Store(r)
	return k, nil
}

func loadRing(path string) (*ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&KeyFileOthers != 0 {
		return nil, fmt.Errorf("%s has mode %04o: others may read it; make it 0600, or 0640 for a group of its own", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.version = versionOf(info)
	return r, nil
}

func versionOf(info fs.FileInfo) fileVersion {
	return fileVersion{modified: info.ModTime(), size: info.Size()}
}

// reload reads the file again if it has changed and the last look is longer ago than age. A file that cannot be read
// changes nothing: the keys at hand stay good.
func (k *Keys) reload(age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.checked) < age {
		return
	}
	k.checked = time.Now()
	info, err := os.Stat(k.path)
	if err != nil || versionOf(info) == k.ring().version {
		return
	}
	if r, err := loadRing(k.path); err == nil {
		k.current.Store(r)
	}
}

// List describes the keys, oldest first.
func (k *Keys) List() []KeyInfo {
	r := k.ring()
	infos := make([]KeyInfo, len(r.signing))
	for i, key := range r.signing {
		infos[i] = KeyInfo{ID: key.id, Created: key.created, Signs: i == len(r.signing)-1}
	}
	return infos
}

// RotateKeys appends a new key to the file at path; running processes sign with it within seconds. Tokens under the
// older keys stay good until they expire.
func RotateKeys(path string) error {
	if _, err := LoadKeys(path); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	block, err := newKeyPEM(time.Now())
	if err != nil {
		return err
	}
	temp, err := writeTemp(path, append(old, block...))
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	defer os.Remove(temp)
	if err := readableAs(path, temp); err != nil {
		return fmt.Errorf("rotate signing keys: keep who may read the file: %w", err)
	}
	return os.Rename(temp, path)
}

// readableAs gives a new file the mode, owner and group of the one that it is to replace: an administrator rotates what
// the platform's own user reads.
func readableAs(path, temp string) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	now, err := os.Stat(temp)
	if err != nil {
		return err
	}
	want, known := before.Sys().(*syscall.Stat_t)
	have, alike := now.Sys().(*syscall.Stat_t)
	if known && alike && (want.Uid != have.Uid || want.Gid != have.Gid) {
		if err := os.Chown(temp, int(want.Uid), int(want.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(temp, before.Mode().Perm())
}

func parseKeys(data []byte) (*ring, error) {
	keys := &ring{byID: map[string]ed25519.PublicKey{}}
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
		created, _ := time.Parse(time.RFC3339, block.Headers[createdHeader]) // absent in the first files
		keys.add(private, created)
	}
	if len(keys.signing) == 0 {
		return nil, errors.New("no PEM block with a private key")
	}
	return keys, nil
}

func (r *ring) add(private ed25519.PrivateKey, created time.Time) {
	public := private.Public().(ed25519.PublicKey)
	id := keyID(public)
	r.signing = append(r.signing, signingKey{id: id, private: private, created: created})
	r.byID[id] = public
}

func (k *Keys) ring() *ring { return k.current.Load() }

func (k *Keys) newest() signingKey {
	signing := k.ring().signing
	return signing[len(signing)-1]
}

// keyID is derived from the public key, so that it needs no store of its own.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func newKeyPEM(now time.Time) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	headers := map[string]string{createdHeader: now.UTC().Format(time.RFC3339)}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Headers: headers, Bytes: der}), nil
}

// createKeyFile puts a complete file in place or leaves the one that another process just made: a link fails where the
// name exists, and a rename would not.
func createKeyFile(path string, now time.Time) error {
	block, err := newKeyPEM(now)
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
