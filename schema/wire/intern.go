package wire

import "corrosion/schema"

// internLimit is how many words one generation of a cache holds before it becomes the old one.
const internLimit = 1 << 15

// interner gives equal bytes the same string. It keeps two generations: when the young one is full it becomes the old
// one, and what is still in use moves over at its next use, so the cache is bounded and a flood of names passes through
// without driving out what comes all the time.
type interner struct{ young, old map[string]string }

func newInterner() interner { return interner{young: map[string]string{}} }

func (in *interner) get(b []byte) (string, bool) {
	if s, ok := in.young[string(b)]; ok {
		return s, true
	}
	s, ok := in.old[string(b)]
	if ok {
		in.put(s)
	}
	return s, ok
}

// add is get for bytes that may be new; whoever calls it has bounded their length.
func (in *interner) add(b []byte) string {
	s, ok := in.get(b)
	if !ok {
		s = string(b)
		in.put(s)
	}
	return s
}

func (in *interner) put(s string) {
	if len(in.young) >= internLimit {
		in.old, in.young = in.young, make(map[string]string, internLimit)
	}
	in.young[s] = s
}

// role is what a key means at the top of a sample.
type role uint8

const (
	custom role = iota
	known       // a field of the contract
	serverID
	timestamp
	metricsObject
)

// word is a key: what it means at the top, and where the sample in work has its value as a custom metric. explicit,
// loose and stored hold the number of the last sample that gave the name within metrics, gave it as an unknown field,
// and has it in its Metrics.
type word struct {
	text                    string
	role                    role
	field                   schema.Field
	explicit, loose, stored uint64
	place                   int
}

// keys knows every key by its text, in two generations like interner. Samples of one publisher have their keys in the
// same order, so the key at the same place of the sample before is tried first: that spares most of the hashing.
type keys struct {
	young, old map[string]*word
	fixed      map[string]*word
	top, inner guesses
	// sample numbers the samples, from 1.
	sample uint64
}

// guesses are the keys of the sample before, by place.
type guesses [schema.MaxMetrics + 64]*word

func newKeys() keys {
	fixed := map[string]*word{
		"server_id": {text: "server_id", role: serverID},
		"ts":        {text: "ts", role: timestamp},
		"metrics":   {text: "metrics", role: metricsObject},
	}
	for f := range schema.NumFields {
		fixed[f.String()] = &word{text: f.String(), role: known, field: f}
	}
	return keys{young: map[string]*word{}, fixed: fixed}
}

// begin starts a sample. The generations change only here, so within a sample a name has one word.
func (k *keys) begin() {
	k.sample++
	if len(k.young) < internLimit {
		return
	}
	k.old, k.young = k.young, make(map[string]*word, internLimit)
	k.top, k.inner = guesses{}, guesses{}
}

// find looks a key up that stands at a place of its object; nil when it was never added.
func (k *keys) find(guess *guesses, place int, key []byte) *word {
	if place >= len(guess) {
		return k.search(key)
	}
	if w := guess[place]; w != nil && w.text == string(key) {
		return w
	}
	w := k.search(key)
	guess[place] = w
	return w
}

func (k *keys) search(key []byte) *word {
	if w, ok := k.fixed[string(key)]; ok {
		return w
	}
	if w, ok := k.young[string(key)]; ok {
		return w
	}
	w, ok := k.old[string(key)]
	if ok {
		k.young[w.text] = w
	}
	return w
}

// add makes the word of a key that find did not know; nil when it cannot name a metric.
func (k *keys) add(key []byte) *word {
	if !schema.ValidMetricName(key) {
		return nil
	}
	w := &word{text: string(key)}
	k.young[w.text] = w
	return w
}
