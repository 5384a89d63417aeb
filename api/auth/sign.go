package auth

import "crypto/ed25519"

// SignAll signs a message with every key, oldest first: who knows any one of them can verify it.
func (k *Keys) SignAll(message []byte) (signatures [][]byte) {
	k.reload(signerAge)
	for _, key := range k.ring().signing {
		signatures = append(signatures, ed25519.Sign(key.private, message))
	}
	return signatures
}

// PublicKeys are those that verify, oldest first.
func (k *Keys) PublicKeys() (keys []ed25519.PublicKey) {
	k.reload(signerAge)
	for _, key := range k.ring().signing {
		keys = append(keys, key.private.Public().(ed25519.PublicKey))
	}
	return keys
}
