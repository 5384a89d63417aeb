package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrSecret says that an encrypted secret cannot be read: its key is not in the file, or it is another's.
var ErrSecret = errors.New("the secret cannot be decrypted")

// Encrypt hides plain under a key derived from the newest signing key; keyID names that key. owner is bound in: the
// secret of one owner cannot be put in another's place.
func (k *Keys) Encrypt(owner string, plain []byte) (keyID string, sealed []byte, err error) {
	key := k.newest()
	aead, err := key.aead()
	if err != nil {
		return "", nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	return key.id, aead.Seal(nonce, nonce, plain, []byte(owner)), nil
}

// Decrypt gives back what Encrypt hid under the key keyID.
func (k *Keys) Decrypt(keyID, owner string, sealed []byte) ([]byte, error) {
	for _, key := range k.ring().signing {
		if key.id != keyID {
			continue
		}
		aead, err := key.aead()
		if err != nil {
			return nil, err
		}
		if len(sealed) < aead.NonceSize() {
			return nil, ErrSecret
		}
		plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(owner))
		if err != nil {
			return nil, ErrSecret
		}
		return plain, nil
	}
	return nil, ErrSecret
}

// SecretKeyID is the key under which Encrypt works now: a secret under another one had better be encrypted anew.
func (k *Keys) SecretKeyID() string { return k.newest().id }

func (s signingKey) aead() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.private.Seed(), nil, "corrosion secrets at rest", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
