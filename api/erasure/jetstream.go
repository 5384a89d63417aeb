package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// eraseJetStream purges, from every stream there is, each subject that names the license, and deletes consumers that are
// for such a subject.
func (w *Worker) eraseJetStream(ctx context.Context, license uuid.UUID, found Counts) error {
	names := w.deps.JetStream.StreamNames(ctx)
	for name := range names.Name() {
		stream, err := w.deps.JetStream.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open stream %s: %w", name, err)
		}
		if err := purge(ctx, stream, name, license, found); err != nil {
			return err
		}
		if err := deleteConsumers(ctx, stream, name, license, found); err != nil {
			return err
		}
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	return nil
}

// of tells whether a subject names the license, as a token of its own.
func of(subject string, license uuid.UUID) bool {
	return slices.Contains(strings.Split(subject, "."), license.String())
}

func purge(ctx context.Context, stream jetstream.Stream, name string, license uuid.UUID, found Counts) error {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return fmt.Errorf("read the subjects of %s: %w", name, err)
	}
	var messages uint64
	for subject, n := range info.State.Subjects {
		if !of(subject, license) {
			continue
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("purge %s: %w", name, err)
		}
		messages += n
	}
	note(found, "jetstream."+name, messages)
	return nil
}

func deleteConsumers(ctx context.Context, stream jetstream.Stream, name string, license uuid.UUID, found Counts) error {
	list := stream.ListConsumers(ctx)
	var gone []string
	for consumer := range list.Info() {
		filters := append(slices.Clone(consumer.Config.FilterSubjects), consumer.Config.FilterSubject, consumer.Config.DeliverSubject)
		if slices.ContainsFunc(filters, func(subject string) bool { return of(subject, license) }) {
			gone = append(gone, consumer.Name)
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list the consumers of %s: %w", name, err)
	}
	for _, consumer := range gone {
		if err := stream.DeleteConsumer(ctx, consumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete a consumer of %s: %w", name, err)
		}
	}
	note(found, "jetstream."+name+".consumers", uint64(len(gone)))
	return nil
}
