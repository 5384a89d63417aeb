package natsauth

import (
	"container/list"
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// credentialsKept bounds what is remembered of one address, right and wrong each.
	credentialsKept = 1024
	// wrongFor is how long a wrong credential is refused without a look-up; soon after it is looked at again.
	wrongFor = time.Minute
	// rightFor is how long a right credential passes while its address is blocked.
	rightFor = 24 * time.Hour
)

// credential is a digest of a user and a password.
type credential [sha256.Size]byte

func newCredential(user, password string) credential {
	return sha256.Sum256([]byte(user + "\x00" + password))
}

// standing is what an address and a credential are known for.
type standing int

const (
	standingOpen    standing = iota // look it up
	standingWrong                   // was wrong a moment ago
	standingBlocked                 // the address guesses
)

// throttle remembers who guesses. Credentials that were right lately pass from
// a blocked address too: one guesser must not shut out a whole data centre.
type throttle struct {
	config ThrottleConfig
	now    func() time.Time

	mu        sync.Mutex // covers what follows
	addresses map[string]*list.Element
	recent    *list.List // of *guesser, the one heard of last in front
}

type guesser struct {
	address     string
	guesses     int
	last, until time.Time
	wrong       map[credential]time.Time
	right       map[credential]time.Time
}

func newThrottle(config ThrottleConfig, now func() time.Time) *throttle {
	return &throttle{config: config, now: now, addresses: map[string]*list.Element{}, recent: list.New()}
}

// look tells what is known before anything is looked up.
func (t *throttle) look(address string, c credential) standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.addresses[address]
	if element == nil {
		return standingOpen
	}
	g, now := element.Value.(*guesser), t.now()
	if at, known := g.right[c]; known && now.Sub(at) < rightFor {
		return standingOpen
	}
	if at, known := g.wrong[c]; known && now.Sub(at) < wrongFor {
		return standingWrong
	}
	if now.Before(g.until) {
		return standingBlocked
	}
	return standingOpen
}

// wrongOnce notes a wrong credential; only a new one is a guess.
func (t *throttle) wrongOnce(address string, c credential) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, now := t.guesser(address), t.now()
	_, seen := g.wrong[c]
	remember(&g.wrong, c, now)
	delete(g.right, c)
	if seen {
		return
	}
	if now.Sub(g.last) > t.config.Forget {
		g.guesses = 0
	}
	g.guesses, g.last = g.guesses+1, now
	if over := g.guesses - t.config.Free; over > 0 {
		g.until = now.Add(min(t.config.Min<<min(over-1, 20), t.config.Max))
	}
}

// rightOnce notes a credential that was right.
func (t *throttle) rightOnce(address string, c credential) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.guesser(address)
	delete(g.wrong, c)
	remember(&g.right, c, t.now())
}

// guesser finds or makes an address's notes; the one not heard of longest goes.
func (t *throttle) guesser(address string) *guesser {
	if element := t.addresses[address]; element != nil {
		t.recent.MoveToFront(element)
		return element.Value.(*guesser)
	}
	for t.recent.Len() >= t.config.Addresses {
		oldest := t.recent.Remove(t.recent.Back()).(*guesser)
		delete(t.addresses, oldest.address)
	}
	g := &guesser{address: address}
	t.addresses[address] = t.recent.PushFront(g)
	return g
}

// remember keeps at most credentialsKept; which one goes does not matter.
func remember(of *map[credential]time.Time, c credential, now time.Time) {
	if *of == nil {
		*of = map[credential]time.Time{}
	}
	if _, known := (*of)[c]; !known && len(*of) >= credentialsKept {
		for victim := range *of {
			delete(*of, victim)
			break
		}
	}
	(*of)[c] = now
}

// addressOf is what guesses are counted by: an IPv4 address or an IPv6 /64.
func addressOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}
