package ingest

import (
	"context"
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

// ensureStream creates the stream or brings its limits to the settings. The epoch names this incarnation of it: its
// creation in ns, which survives restarts and updates but not deleting.
func ensureStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) (epoch uint64, stream jetstream.Stream, err error) {
	stream, err = js.CreateOrUpdateStream(ctx, c)
	if err != nil {
		return 0, nil, fmt.Errorf("set up stream %s: %w", c.Name, err)
	}
	return uint64(stream.CachedInfo().Created.UnixNano()), stream, nil
}
