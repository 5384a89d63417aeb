package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
)

// Metadata of restored streams: which backup they are of, while they are being restored and when they are whole.
const (
	restoringKey = "corrosion_restoring"
	restoredKey  = "corrosion_restored"
)

// look refuses streams that hold messages of their own.
func (s *streams) look(ctx context.Context, m *Manifest) error {
	for _, one := range append(liveStreams(), schema.StreamDead) {
		stream, err := s.js.Stream(ctx, one)
		if noSuchStream(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look up stream %s: %w", one, err)
		}
		info := stream.CachedInfo()
		if ours(info, m) || info.State.Msgs == 0 {
			continue
		}
		return notEmpty(fmt.Sprintf("the stream %s has %d messages", one, info.State.Msgs), "restore into another NATS, or let the platform that they are of store them first")
	}
	return nil
}

func ours(info *jetstream.StreamInfo, m *Manifest) bool {
	id := m.ID.String()
	return info.Config.Metadata[restoringKey] == id || info.Config.Metadata[restoredKey] == id
}

// load brings a stream back. Until it is whole it listens to nothing, so that no message gets in that could take a
// sequence whose rows are stored.
func (s *streams) load(ctx context.Context, source Target, m *Manifest, of Stream, replicas int) error {
	var config jetstream.StreamConfig
	if err := json.Unmarshal(of.Config, &config); err != nil {
		return fmt.Errorf("%w: its settings cannot be read: %w", ErrDamaged, err)
	}
	config.Replicas = max(1, replicas)
	config.Placement = nil
	if there, err := s.js.Stream(ctx, of.Name); err == nil {
		if there.CachedInfo().Config.Metadata[restoredKey] == m.ID.String() {
			return nil
		}
		if err := s.js.DeleteStream(ctx, of.Name); err != nil {
			return fmt.Errorf("remove the empty stream: %w", err)
		}
	} else if !noSuchStream(err) {
		return err
	}
	deaf := config
	deaf.Subjects, deaf.SubjectTransform = []string{"corrosion_restoring." + of.Name}, nil
	deaf.Metadata = map[string]string{restoringKey: m.ID.String()}
	if err := openFile(ctx, source, of.File.Path, func(from io.Reader) error { return s.send(ctx, of, deaf, from) }); err != nil {
		return err
	}
	return s.open(ctx, m, of, config)
}

// send gives JetStream a snapshot, piece by piece.
func (s *streams) send(ctx context.Context, of Stream, config jetstream.StreamConfig, from io.Reader) error {
	body, err := json.Marshal(map[string]any{"config": config, "state": of.State})
	if err != nil {
		return err
	}
	var answer struct {
		DeliverSubject string `json:"deliver_subject"`
	}
	if err := s.request(ctx, "$JS.API.STREAM.RESTORE."+of.Name, body, &answer); err != nil {
		return err
	}
	piece := make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(from, piece)
		if n > 0 {
			if err := s.request(ctx, answer.DeliverSubject, piece[:n], nil); err != nil {
				return fmt.Errorf("send a piece: %w", err)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return s.request(ctx, answer.DeliverSubject, nil, nil)
		}
		if err != nil {
			return err
		}
	}
}

// open names the epochs of the stream's sequences and lets it listen.
func (s *streams) open(ctx context.Context, m *Manifest, of Stream, config jetstream.StreamConfig) error {
	stream, err := s.js.Stream(ctx, of.Name)
	if err != nil {
		return err
	}
	epochs, err := schema.ReadEpochs(of.Created, config.Metadata)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	state := stream.CachedInfo().State
	config.Metadata = map[string]string{restoredKey: m.ID.String()}
	maps.Copy(config.Metadata, epochs.AfterRestore(state.FirstSeq, state.LastSeq, time.Now()))
	_, err = s.js.UpdateStream(ctx, config)
	return err
}

// forgetRepeatedLetters removes dead letters of messages that still wait: they are buried anew when these are read.
func (s *streams) forgetRepeatedLetters(ctx context.Context) error {
	dead, err := s.js.Stream(ctx, schema.StreamDead)
	if noSuchStream(err) {
		return nil
	}
	if err != nil {
		return err
	}
	waiting, err := s.waiting(ctx)
	if err != nil || len(waiting) == 0 || dead.CachedInfo().State.Msgs == 0 {
		return err
	}
	letters, err := dead.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	last := dead.CachedInfo().State.LastSeq
	for seq := uint64(0); seq < last; {
		letter, err := letters.Next(jetstream.FetchMaxWait(streamPatience))
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		meta, err := letter.Metadata()
		if err != nil {
			return err
		}
		seq = meta.Sequence.Stream
		repeated, err := isWaiting(ctx, waiting, letter)
		if err == nil && repeated {
			err = dead.DeleteMsg(ctx, seq)
		}
		if err != nil {
			return fmt.Errorf("forget a repeated dead letter: %w", err)
		}
	}
	return nil
}

// waitingStream is a stream with messages, and how their epochs are named.
type waitingStream struct {
	jetstream.Stream
	epochs schema.Epochs
}

func (s *streams) waiting(ctx context.Context) ([]waitingStream, error) {
	var all []waitingStream
	for _, one := range []string{schema.StreamStats, schema.StreamStatsByServer, schema.StreamEvents} {
		stream, err := s.js.Stream(ctx, one)
		if noSuchStream(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info := stream.CachedInfo()
		epochs, err := schema.ReadEpochs(info.Created, info.Config.Metadata)
		if err != nil {
			return nil, err
		}
		if info.State.Msgs > 0 {
			all = append(all, waitingStream{stream, epochs})
		}
	}
	return all, nil
}

// isWaiting tells whether the message that a letter is about is in its stream.
func isWaiting(ctx context.Context, streams []waitingStream, letter jetstream.Msg) (bool, error) {
	epoch, err := strconv.ParseUint(letter.Headers().Get(schema.DeadEpoch), 10, 64)
	if err != nil {
		return false, nil //nolint:nilerr // a letter of another kind
	}
	seq, err := strconv.ParseUint(letter.Headers().Get(schema.DeadSeq), 10, 64)
	if err != nil {
		return false, nil //nolint:nilerr // a letter of another kind
	}
	for _, s := range streams {
		state := s.CachedInfo().State
		if seq < state.FirstSeq || seq > state.LastSeq || s.epochs.Of(seq) != epoch {
			continue
		}
		_, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		return err == nil, err
	}
	return false, nil
}
