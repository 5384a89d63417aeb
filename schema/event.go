package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// EventKind says what a mark is about.
type EventKind string

// The kinds of marks.
const (
	Wipe      EventKind = "wipe"
	Restart   EventKind = "restart"
	Deploy    EventKind = "deploy"
	MapChange EventKind = "map"
	Note      EventKind = "note"
)

// EventKinds are all kinds.
func EventKinds() []EventKind { return []EventKind{Wipe, Restart, Deploy, MapChange, Note} }

// Valid tells whether k is a known kind.
func (k EventKind) Valid() bool { return slices.Contains(EventKinds(), k) }

// EventSource says who made a mark.
type EventSource string

// The sources of marks.
const (
	FromNATS EventSource = "nats"
	FromAPI  EventSource = "api"
	// FromSamples are marks that the aggregator saw in the samples.
	FromSamples EventSource = "samples"
)

// Bounds of one mark, and of a message of marks.
const (
	MaxEventTitle    = 200 // characters
	MaxEventText     = 4 << 10
	MaxEventData     = 16 << 10 // bytes of JSON without white space
	MaxEventDepth    = 16       // objects and arrays of data within each other
	MaxMessageEvents = 1000
	// EventRetention is how long marks are kept after their ts; the API takes marks as old as that.
	EventRetention = 400 * 24 * time.Hour
)

// Versions of a row of event_log. A mark is what its row of the highest version says.
const (
	EventCreated uint32 = 1
	// EventDeleted is the version of what a person deleted: nothing brings it back.
	EventDeleted uint32 = 1<<32 - 1
)

// Event is a mark on charts: something that happened to one server or to a whole network.
type Event struct {
	License uuid.UUID
	ID      uuid.UUID
	// ServerID is empty for a mark of the whole network.
	ServerID string
	// TS is when it happened, ms since the epoch. It never changes.
	TS    int64
	Kind  EventKind
	Title string
	Text  string
	// Data is a JSON object, or empty.
	Data   string
	Source EventSource
	// ReceivedAt is when it was stored, ms since the epoch.
	ReceivedAt int64
	// MessageID, Epoch, Seq and Idx say where a mark from NATS comes from.
	MessageID  string
	Epoch, Seq uint64
	Idx        uint16
	Version    uint32
	Deleted    bool
}

// EventsTable holds marks as they were written, EventsView as they stand.
const (
	EventsTable = "corrosion.event_log"
	EventsView  = "corrosion.events"
)

// EventColumns are the columns of EventsTable, in order.
func EventColumns() []string {
	return []string{"license_id", "ts", "event_id", "server_id", "kind", "title", "text", "data", "source", "received_at",
		"message_id", "epoch", "seq", "idx", "version", "deleted"}
}

// InsertEvents is the INSERT text of marks; its columns are EventColumns in order.
func InsertEvents() string {
	return "INSERT INTO " + EventsTable + " (" + strings.Join(EventColumns(), ", ") + ")"
}

// Row is the mark as values for EventColumns.
func (e *Event) Row() []any {
	var deleted uint8
	if e.Deleted {
		deleted = 1
	}
	return []any{e.License, time.UnixMilli(e.TS).UTC(), e.ID, e.ServerID, string(e.Kind), e.Title, e.Text, e.Data, string(e.Source),
		time.UnixMilli(e.ReceivedAt).UTC(), e.MessageID, e.Epoch, e.Seq, e.Idx, e.Version, deleted}
}

// eventNamespace scopes the ids that are made out of where a mark comes from.
var eventNamespace = uuid.MustParse("3b1d5c3e-6f0e-5d1c-9a53-6b1f6d6f7c10")

// EventIDFromStream is the id of a mark by its place in a stream: a message that is delivered again replaces its marks.
func EventIDFromStream(epoch, seq uint64, idx int) uuid.UUID {
	return uuid.NewSHA1(eventNamespace, fmt.Appendf(nil, "nats/%d/%d/%d", epoch, seq, idx))
}

// EventIDFromSamples is the id of a mark that samples show: looking again finds the same one. ts is in ms.
func EventIDFromSamples(license uuid.UUID, serverID string, kind EventKind, ts int64) uuid.UUID {
	return uuid.NewSHA1(eventNamespace, []byte("samples/"+license.String()+"/"+serverID+"/"+string(kind)+"/"+strconv.FormatInt(ts, 10)))
}
