package ingest

import "bytes"

// message is one message as JetStream gave it.
type message struct {
	receipt
	subject   string
	encoding  string // Content-Encoding
	id        string // Nats-Msg-Id
	data      []byte
	delivered uint64 // 1 at the first delivery
	// Not nil: no message, but word of a partition. joined was taken, and its messages come next; left is closed when
	// nothing that came before is on its way to the store any more.
	joined *term
	left   chan struct{}
}

// word tells whether this is no message.
func (m *message) word() bool { return m.joined != nil || m.left != nil }

// maxAcknowledgement bounds JetStream's answer to a publish, bytes: the names of a stream and a domain, and a number.
const maxAcknowledgement = 512

// isAcknowledgement tells whether a body is JetStream's own answer to a publish. A publisher may name any subject for it,
// and the server does not ask whether it might publish there itself.
func isAcknowledgement(body []byte) bool {
	return len(body) <= maxAcknowledgement && bytes.HasPrefix(body, []byte(`{"stream":"`)) && bytes.Contains(body, []byte(`"seq":`)) &&
		!bytes.Contains(body, []byte(`"server_id"`))
}
