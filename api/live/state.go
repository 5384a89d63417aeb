package live

import (
	"cmp"
	"math"
	"slices"
	"time"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// State says whether a server is heard.
type State string

// The states of a server.
const (
	Online State = "online"
	Silent State = "silent"
)

// Book is what is written of a license's servers.
type Book struct {
	// Registered servers are listed even if they were never heard, Archived ones are left out.
	Registered, Archived map[string]bool
	// Expected is how far apart a server's samples are meant to be.
	Expected map[string]time.Duration
}

// NewBook makes a Book of lists.
func NewBook(registered, archived []string, expected map[string]time.Duration) Book {
	set := func(ids []string) map[string]bool {
		m := make(map[string]bool, len(ids))
		for _, id := range ids {
			m[id] = true
		}
		return m
	}
	return Book{set(registered), set(archived), expected}
}

// server is one server and the frame in which it changed last.
type server struct {
	id     string
	sample schema.Sample
	// heard says that sample is one; lastSeen is its ts, or what the book says, ms since the epoch.
	heard    bool
	lastSeen int64
	online   bool
	// pending says that the next frame has it, seq is the last frame that had.
	pending bool
	seq     uint64
	// json is the server as frames show it.
	json []byte
}

// departure is a server that is not shown any more, since frame seq.
type departure struct {
	id  string
	seq uint64
}

// maxDepartures is how many departures are remembered for listeners that come back.
const maxDepartures = 1024

// state is the newest sample of each server. It knows nothing of time but what it is told, and needs a lock around it.
type state struct {
	cfg  Config
	book Book

	servers map[string]*server
	// order are the servers by id, changed those that the next frame has.
	order   []*server
	changed []*server
	// gone are the latest departures; those up to forgotten are not among them any more. leaving are the next frame's.
	gone      []departure
	forgotten uint64
	leaving   []string
	// omitted says that there are more servers than may be kept, crowded that none of them is silent.
	omitted, crowded bool
}

func newState(cfg Config) *state { return &state{cfg: cfg, servers: map[string]*server{}} }

// take learns a sample; it tells whether that changed anything. Samples that are older than the known one do not, nor
// does the same one again.
func (st *state) take(s *schema.Sample, now int64) bool {
	if st.book.Archived[s.ServerID] || s.TS < now-st.cfg.Forget.Milliseconds() {
		return false
	}
	k := st.servers[s.ServerID]
	switch {
	case k == nil:
		if k = st.add(s.ServerID); k == nil {
			return false
		}
	case k.heard && (s.TS < k.sample.TS || s.TS == k.sample.TS && equal(s, &k.sample)):
		return false
	}
	metrics := k.sample.Metrics[:0]
	metrics = append(metrics, s.Metrics...)
	k.sample = *s
	k.sample.Metrics = metrics
	k.heard, k.lastSeen = true, s.TS
	st.touch(k)
	return true
}

// equal tells whether two samples of one server say the same.
func equal(a, b *schema.Sample) bool {
	for f := range schema.NumFields {
		if a.Has(f) != b.Has(f) || a.Has(f) && (a.Uint(f) != b.Uint(f) || a.Text(f) != b.Text(f)) {
			return false
		}
	}
	return slices.Equal(a.Metrics, b.Metrics)
}

// add makes a server; nil when there are too many.
func (st *state) add(id string) *server {
	if len(st.servers) >= st.cfg.MaxServers && !st.makeRoom() {
		return nil
	}
	k := &server{id: id}
	st.servers[id] = k
	at, _ := slices.BinarySearchFunc(st.order, id, func(s *server, id string) int { return cmp.Compare(s.id, id) })
	st.order = slices.Insert(st.order, at, k)
	return k
}

// makeRoom lets go of the server that has been silent for longest; false where none is.
func (st *state) makeRoom() bool {
	st.omitted = true
	if st.crowded {
		return false // until the next look at who is silent
	}
	var oldest *server
	for _, k := range st.order {
		if !k.online && !k.pending && (oldest == nil || k.lastSeen < oldest.lastSeen) {
			oldest = k
		}
	}
	if oldest == nil {
		st.crowded = true
		return false
	}
	st.remove(oldest)
	return true
}

func (st *state) touch(k *server) {
	if !k.pending {
		k.pending = true
		st.changed = append(st.changed, k)
	}
}

func (st *state) remove(k *server) {
	delete(st.servers, k.id)
	at, found := slices.BinarySearchFunc(st.order, k.id, func(s *server, id string) int { return cmp.Compare(s.id, id) })
	if found {
		st.order = slices.Delete(st.order, at, at+1)
	}
	st.changed = slices.DeleteFunc(st.changed, func(s *server) bool { return s == k })
	st.leaving = append(st.leaving, k.id)
}

// read takes a new book over; it tells whether that changed anything.
func (st *state) read(book Book, now int64) bool {
	st.book = book
	changed := false
	for _, k := range slices.Clone(st.order) {
		if book.Archived[k.id] || k.lastSeen == 0 && !book.Registered[k.id] {
			st.remove(k)
			changed = true
		}
	}
	for id := range book.Registered {
		changed = st.know(id, 0) || changed
	}
	return st.age(now) || changed
}

// know learns that there is a server that was last heard at a moment; it tells whether that is news.
func (st *state) know(id string, lastSeen int64) bool {
	k := st.servers[id]
	if st.book.Archived[id] || k != nil && lastSeen <= k.lastSeen {
		return false
	}
	if k == nil {
		if k = st.add(id); k == nil {
			return false
		}
	}
	if !k.heard {
		k.lastSeen = lastSeen
	}
	st.touch(k)
	return true
}

// patience is how long a server may be silent and still count, ms.
func (st *state) patience(id string) int64 {
	return max(st.cfg.SilentAfter, 2*st.book.Expected[id]).Milliseconds()
}

func (st *state) isOnline(k *server, now int64) bool {
	return k.heard && now-k.lastSeen <= st.patience(k.id)
}

// age finds servers that have fallen silent; it tells whether there are any.
func (st *state) age(now int64) bool {
	st.crowded = false
	changed := false
	for _, k := range st.order {
		if k.online != st.isOnline(k, now) && !k.pending {
			st.touch(k)
			changed = true
		}
	}
	return changed
}

// advance puts everything that changed into frame seq.
func (st *state) advance(seq uint64, now int64) {
	for _, k := range st.changed {
		k.pending, k.seq = false, seq
		k.online = st.isOnline(k, now)
		k.encode()
	}
	st.changed = st.changed[:0]
	for _, id := range st.leaving {
		st.gone = append(st.gone, departure{id, seq})
	}
	st.leaving = st.leaving[:0]
	for len(st.gone) > maxDepartures {
		st.forgotten = st.gone[0].seq
		st.gone = st.gone[1:]
	}
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// encode writes the server as frames show it: unmeasured fields are left out.
func (k *server) encode() {
	b := k.json[:0]
	b = append(b, `{"server_id":"`...) // ids need no escapes
	b = append(b, k.id...)
	state := Silent
	if k.online {
		state = Online
	}
	b = append(append(b, `","state":"`...), state...)
	b = append(b, `","last_seen":`...)
	if k.lastSeen == 0 {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = time.UnixMilli(k.lastSeen).UTC().AppendFormat(b, timeLayout)
		b = append(b, '"')
	}
	b = append(b, `,"sample":`...)
	if k.heard {
		b = wire.AppendJSON(b, &k.sample)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, '}')
	k.json = b
}

// Totals are a network's figures now: of its servers that are online. What none of them measured is null.
type Totals struct {
	At         time.Time  `json:"at" doc:"When they were added up"`
	Servers    Counts     `json:"servers"`
	Players    Persons    `json:"players" doc:"Sums over servers"`
	FPS        Spread     `json:"fps" doc:"Over servers, frames a second"`
	FrameMS    Spread     `json:"frame_ms" doc:"Over servers, ms"`
	Entities   Sum        `json:"entities"`
	MemoryMB   Sum        `json:"memory_mb" doc:"MiB"`
	CPUPercent Sum        `json:"cpu_percent" doc:"% of one core"`
	NetIn      *float64   `json:"net_in" doc:"Sum over servers, bytes a second"`
	NetOut     *float64   `json:"net_out" doc:"Sum over servers, bytes a second"`
	Complete   bool       `json:"complete" doc:"False while earlier samples could not be read, or where there are more servers than are followed"`
	StaleSince *time.Time `json:"stale_since" doc:"Since when nothing can arrive; null while all is well"`
}

// Counts are numbers of servers.
type Counts struct {
	Total  int `json:"total" doc:"Known and not archived"`
	Online int `json:"online" doc:"Heard within five minutes, or within twice the expected interval"`
	Silent int `json:"silent"`
}

// Persons are sums over servers.
type Persons struct {
	Current  *float64 `json:"current"`
	Capacity *float64 `json:"capacity"`
	Queued   *float64 `json:"queued"`
	Joining  *float64 `json:"joining"`
	Sleepers *float64 `json:"sleepers"`
}

// Spread is how a measurement lies over servers.
type Spread struct {
	Avg *float64 `json:"avg"`
	Min *float64 `json:"min"`
	P05 *float64 `json:"p05"`
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	Max *float64 `json:"max"`
}

// Sum is a measurement added up over servers, and its mean and largest value.
type Sum struct {
	Total *float64 `json:"total"`
	Avg   *float64 `json:"avg"`
	Max   *float64 `json:"max"`
}

// totals adds the servers up that are members; nil members are all. It looks at each server: percentiles need that, and
// sums that are kept up to date would drift.
func (st *state) totals(members map[string]bool) *Totals {
	t := &Totals{}
	var values [schema.NumFields][]float64
	fields := schema.MetricFields()
	for _, k := range st.order {
		if members != nil && !members[k.id] {
			continue
		}
		t.Servers.Total++
		if !k.online {
			continue
		}
		t.Servers.Online++
		for _, f := range fields {
			if k.sample.Has(f) {
				values[f] = append(values[f], k.sample.Number(f))
			}
		}
	}
	t.Servers.Silent = t.Servers.Total - t.Servers.Online
	p := &t.Players
	p.Current, p.Capacity, p.Queued = sum(values[schema.Players]), sum(values[schema.MaxPlayers]), sum(values[schema.Queued])
	p.Joining, p.Sleepers = sum(values[schema.Joining]), sum(values[schema.Sleepers])
	t.NetIn, t.NetOut = sum(values[schema.NetIn]), sum(values[schema.NetOut])
	t.FPS, t.FrameMS = spread(values[schema.FPS]), spread(values[schema.FrameMS])
	t.Entities, t.MemoryMB, t.CPUPercent = sums(values[schema.Entities]), sums(values[schema.MemoryMB]), sums(values[schema.CPUPercent])
	return t
}

func sum(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	total := 0.0
	for _, v := range values {
		total += v
	}
	return finite(total)
}

// finite is nil for what JSON cannot say: sums of the largest doubles.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

func mean(values []float64) *float64 {
	total := sum(values)
	if total == nil {
		return nil
	}
	return finite(*total / float64(len(values)))
}

func sums(values []float64) Sum {
	if len(values) == 0 {
		return Sum{}
	}
	return Sum{Total: sum(values), Avg: mean(values), Max: finite(slices.Max(values))}
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	at := func(q float64) *float64 { return finite(values[int(math.Round(q*float64(len(values)-1)))]) }
	return Spread{Avg: mean(values), Min: at(0), P05: at(.05), P50: at(.5), P95: at(.95), Max: at(1)}
}
