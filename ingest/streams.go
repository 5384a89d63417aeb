package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
)

// duplicatesWindow is the least that JetStream takes. Its window is stream-wide, so that with a longer one the message
// id of one tenant could swallow a message of another.
const duplicatesWindow = 100 * time.Millisecond

// deadWindow keeps a redelivered message from burying its bad samples twice.
const deadWindow = 2 * time.Minute

// headerRoom is what a message may carry beside its body.
const headerRoom = 64 << 10

// statsStreams are the streams that samples come through. They share the bound of bytes half and half: networks of one
// subject fill the first, those that spread over servers the second.
func statsStreams(c StreamsConfig, partitions int) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		statsStream(c, partitions, schema.StreamStats, schema.SubjectStats, "Samples on the license's subject, until they are stored"),
		statsStream(c, partitions, schema.StreamStatsByServer, schema.SubjectStatsByServer, "Samples on their server's subject, until they are stored"),
	}
}

func statsStream(c StreamsConfig, partitions int, name, subject, description string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Description: description, Subjects: []string{subject},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: subject, Destination: storedSubject(subject, partitions)},
		Storage:          jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, MaxBytes: c.MaxBytes / 2, MaxMsgSize: schema.MaxMessageBytes + headerRoom,
		Duplicates: duplicatesWindow, Replicas: c.Replicas,
	}
}

// deadStream keeps what could not be stored, the newest of it.
func deadStream(c StreamsConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: schema.StreamDead, Description: "What could not be stored, and why", Subjects: []string{schema.SubjectDead},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardOld, MaxBytes: c.DeadMaxBytes, MaxAge: c.DeadMaxAge,
		Duplicates: deadWindow, Replicas: c.Replicas,
	}
}

// ensureStream creates the stream or brings its limits to the settings. The epochs name its incarnation: its creation in
// ns, which survives restarts and updates but not deleting, what renewEpoch gave it, or what a restored backup says.
func ensureStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) (epochs schema.Epochs, stream jetstream.Stream, err error) {
	stream, err = js.Stream(ctx, c.Name)
	if err == nil {
		c.Metadata = schema.KeepEpochs(stream.CachedInfo().Config.Metadata)
	} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return epochs, nil, fmt.Errorf("look up stream %s: %w", c.Name, err)
	}
	if stream, err = js.CreateOrUpdateStream(ctx, c); err != nil {
		return epochs, nil, fmt.Errorf("set up stream %s: %w", c.Name, err)
	}
	epochs, err = epochsOf(stream.CachedInfo())
	return epochs, stream, err
}

// epochsOf reads a stream's epochs.
func epochsOf(info *jetstream.StreamInfo) (schema.Epochs, error) {
	epochs, err := schema.ReadEpochs(info.Created, info.Config.Metadata)
	if err != nil {
		return epochs, fmt.Errorf("stream %s: %w", info.Config.Name, err)
	}
	return epochs, nil
}

// renewEpoch gives the stream another epoch: its sequences have begun to repeat.
func renewEpoch(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) error {
	c.Metadata = schema.RenewedEpoch(time.Now())
	if _, err := js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("renew epoch of stream %s: %w", c.Name, err)
	}
	return nil
}
