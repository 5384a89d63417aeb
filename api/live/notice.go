package live

import "github.com/google/uuid"

// Notice is an event about one server of a license that is no measurement.
type Notice struct {
	License uuid.UUID
	Server  string
	// Event is its name, Data one line of JSON.
	Event string
	Data  []byte
}

// notice is one that frame seq has; 0 is the next frame.
type notice struct {
	seq    uint64
	server string
	text   []byte
}

// maxNotices bounds the notices of a license that are kept for listeners who are behind.
const maxNotices = 256

// Announce puts a notice into the next frame of its license, where somebody watches that.
func (h *Hub) Announce(told Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.networks[told.License]
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notices = append(n.notices, notice{server: told.Server, text: appendEvent(nil, told.Event, told.Data)})
	if over := len(n.notices) - maxNotices; over > 0 {
		n.unheard = max(n.notices[over-1].seq, n.unheard)
		if n.notices[over-1].seq == 0 {
			n.unheard = n.seq + 1
		}
		n.notices = n.notices[over:]
	}
	n.due()
}

// Missed says that notices may have been lost: everybody who gets them begins anew with a snapshot.
func (h *Hub) Missed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.networks {
		n.mu.Lock()
		n.unheard, n.totalsDue = n.seq+1, true
		n.due()
		n.mu.Unlock()
	}
}

// noticed tells whether the next frame has notices.
func (n *network) noticed() bool { return len(n.notices) > 0 && n.notices[len(n.notices)-1].seq == 0 }

// number gives the present frame the notices that have none.
func (n *network) number() {
	for i := len(n.notices) - 1; i >= 0 && n.notices[i].seq == 0; i-- {
		n.notices[i].seq = n.seq
	}
}

// appendNotices appends those behind frame from that the view shows.
func (v *view) appendNotices(b []byte, from uint64) []byte {
	if v.selection.Measured {
		return b
	}
	for _, told := range v.n.notices {
		if told.seq > from && v.has(told.server) {
			b = append(b, told.text...)
		}
	}
	return b
}
