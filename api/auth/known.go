package auth

import (
	"sync"
	"time"
)

// mostKnown bounds the tokens that are remembered.
const mostKnown = 4096

// knownTokens are tokens whose signatures were good: checking one costs more than all the rest of a small answer.
type knownTokens struct {
	mu     sync.RWMutex // covers tokens
	tokens map[string]knownToken
}

type knownToken struct {
	identity Identity
	// under is the keys that it was checked with; others may not have its key any more.
	under *ring
	at    time.Time
}

// find gives the identity of a token that is still good: under the same keys, later than it was checked, not expired.
func (k *knownTokens) find(token string, under *ring, now time.Time) (Identity, bool) {
	k.mu.RLock()
	known, ok := k.tokens[token]
	k.mu.RUnlock()
	if !ok || known.under != under || now.Before(known.at) || !now.Before(known.identity.ExpiresAt.Add(leeway)) {
		return Identity{}, false
	}
	return known.identity, true
}

// add remembers a token; a full memory forgets any other.
func (k *knownTokens) add(token string, known knownToken) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tokens == nil {
		k.tokens = map[string]knownToken{}
	}
	if len(k.tokens) >= mostKnown {
		for victim := range k.tokens {
			delete(k.tokens, victim)
			break
		}
	}
	k.tokens[token] = known
}
