package schema

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Metadata of a stream that names its epochs: the present one where the stream's creation does not, and those of
// sequences that the stream had before it was restored from a backup, each as epoch:last.
const (
	epochKey   = "corrosion_epoch"
	earlierKey = "corrosion_epochs_before"
)

// Epochs name the incarnations of a stream's sequences. A row's identity is (epoch, sequence, place in the message), so
// sequences that are given out anew must belong to another epoch than those whose rows may be stored.
type Epochs struct {
	// Now is the epoch of all sequences that are not of an earlier one.
	Now     uint64
	earlier []earlierEpoch // by last, rising
}

// earlierEpoch has the sequences up to last, inclusive, that no entry before it has.
type earlierEpoch struct{ epoch, last uint64 }

// ReadEpochs reads what a stream's creation and metadata say.
func ReadEpochs(created time.Time, metadata map[string]string) (Epochs, error) {
	e := Epochs{Now: uint64(created.UnixNano())}
	var err error
	if given := metadata[epochKey]; given != "" {
		if e.Now, err = strconv.ParseUint(given, 10, 64); err != nil {
			return e, fmt.Errorf("read epoch: %w", err)
		}
	}
	if metadata[earlierKey] == "" {
		return e, nil
	}
	for one := range strings.SplitSeq(metadata[earlierKey], ",") {
		var b earlierEpoch
		if _, err := fmt.Sscanf(one, "%d:%d", &b.epoch, &b.last); err != nil {
			return e, fmt.Errorf("read earlier epochs %q: %w", metadata[earlierKey], err)
		}
		e.earlier = append(e.earlier, b)
	}
	return e, nil
}

// Of is the epoch of a sequence.
func (e Epochs) Of(seq uint64) uint64 {
	for _, b := range e.earlier {
		if seq <= b.last {
			return b.epoch
		}
	}
	return e.Now
}

// Earlier tells whether a sequence came before the stream was restored: its rows may be stored.
func (e Epochs) Earlier(seq uint64) bool {
	return len(e.earlier) > 0 && seq <= e.earlier[len(e.earlier)-1].last
}

// Same tells whether both name the same present epoch.
func (e Epochs) Same(other Epochs) bool { return e.Now == other.Now }

// KeepEpochs copies what names epochs from a stream's metadata; nil where nothing does.
func KeepEpochs(metadata map[string]string) map[string]string {
	kept := maps.Clone(metadata)
	maps.DeleteFunc(kept, func(key, _ string) bool { return key != epochKey && key != earlierKey })
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// RenewedEpoch is the metadata of a stream whose sequences begin to repeat at some moment.
func RenewedEpoch(at time.Time) map[string]string {
	return map[string]string{epochKey: strconv.FormatInt(at.UnixNano(), 10)}
}

// AfterRestore is the metadata of a stream that is restored with the sequences first to last of a backup: these keep the
// epochs that they have, and what is published from now on gets another, for the sequences after last may have been given
// out, and stored, between the backup of the stream and that of ClickHouse.
func (e Epochs) AfterRestore(first, last uint64, at time.Time) map[string]string {
	metadata := RenewedEpoch(at)
	var all []string
	for _, b := range append(e.earlier[:len(e.earlier):len(e.earlier)], earlierEpoch{e.Now, last}) {
		if b.last >= first {
			all = append(all, fmt.Sprintf("%d:%d", b.epoch, b.last))
		}
	}
	if len(all) > 0 {
		metadata[earlierKey] = strings.Join(all, ",")
	}
	return metadata
}
