package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/command"
)

// liveStreams hold what is on its way; they are taken first. schema.StreamDead comes last.
func liveStreams() []string {
	return []string{schema.StreamStats, schema.StreamStatsByServer, schema.StreamEvents, command.Stream}
}

// Bounds of JetStream's protocol of snapshots: how long an answer or the next chunk is waited for, and the size of chunks.
const (
	streamPatience = 30 * time.Second
	chunkBytes     = 128 << 10
)

// streams is JetStream.
type streams struct {
	nc *nats.Conn
	js jetstream.JetStream
}

func openStreams(nc *nats.Conn) (*streams, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	return &streams{nc, js}, nil
}

// apiFault is how JetStream refuses.
type apiFault struct {
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
}

func (f apiFault) err() error {
	if f.Error == nil {
		return nil
	}
	return errors.New(f.Error.Description)
}

// request asks JetStream's API; answer has a member error.
func (s *streams) request(ctx context.Context, subject string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, streamPatience)
	defer cancel()
	reply, err := s.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return err
	}
	if len(reply.Data) == 0 {
		return nil
	}
	var fault apiFault
	if err := json.Unmarshal(reply.Data, &fault); err != nil {
		return fmt.Errorf("read the answer of JetStream: %w", err)
	}
	if err := fault.err(); err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(reply.Data, answer)
}

// save writes those of some streams that there are.
func (s *streams) save(ctx context.Context, target Target, list []string, count func(step string) func(n int)) ([]Stream, error) {
	var saved []Stream
	for _, one := range list {
		_, err := s.js.Stream(ctx, one)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", one, err)
		}
		stream, err := s.snapshot(ctx, target, one, count("stream "+one+", bytes"))
		if err != nil {
			return nil, fmt.Errorf("back up stream %s: %w", one, err)
		}
		saved = append(saved, stream)
	}
	return saved, nil
}

// snapshot is one stream as JetStream packs it. Consumers go along where they carry something that a restored platform
// would not make by itself: an agent's commands.
func (s *streams) snapshot(ctx context.Context, target Target, one string, seen func(n int)) (Stream, error) {
	stream := Stream{Name: one}
	inbox := s.nc.NewInbox()
	sub, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return stream, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil { // JetStream waits for acks after 8 MiB
		return stream, err
	}
	body, err := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": one != command.Stream, "chunk_size": chunkBytes})
	if err != nil {
		return stream, err
	}
	var answer struct {
		Config json.RawMessage `json:"config"`
		State  json.RawMessage `json:"state"`
	}
	info, err := s.js.Stream(ctx, one)
	if err != nil {
		return stream, err
	}
	if err := s.request(ctx, "$JS.API.STREAM.SNAPSHOT."+one, body, &answer); err != nil {
		return stream, err
	}
	stream.Created, stream.Config, stream.State = info.CachedInfo().Created, answer.Config, answer.State
	stream.Messages = info.CachedInfo().State.Msgs
	stream.File, err = put(ctx, target, "streams/"+one+".snapshot", seen, func(to io.Writer) error { return chunks(ctx, sub, to) })
	return stream, err
}

// chunks takes a snapshot's pieces until JetStream says that it was the last.
func chunks(ctx context.Context, sub *nats.Subscription, to io.Writer) error {
	for {
		wait, cancel := context.WithTimeout(ctx, streamPatience)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return fmt.Errorf("wait for the next piece: %w", err)
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("JetStream broke off: %s %s", status, m.Header.Get("Description"))
			}
			return nil
		}
		if _, err := to.Write(m.Data); err != nil {
			return err
		}
		if m.Reply == "" {
			continue
		}
		if err := m.Respond(nil); err != nil {
			return err
		}
	}
}
