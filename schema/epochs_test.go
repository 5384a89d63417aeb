package schema_test

import (
	"testing"
	"time"

	"corrosion/schema"
)

// A stream that was restored twice knows of each sequence under which epoch its rows are stored.
func TestEpochsAfterRestores(t *testing.T) {
	created := time.Unix(0, 100)
	plain, err := schema.ReadEpochs(created, nil)
	if err != nil || plain.Now != 100 || plain.Of(7) != 100 || plain.Earlier(7) {
		t.Fatalf("a new stream: %+v, %v", plain, err)
	}
	once := read(t, plain.AfterRestore(1, 10, time.Unix(0, 200)))
	twice := read(t, once.AfterRestore(8, 20, time.Unix(0, 300)))
	for seq, want := range map[uint64]uint64{8: 100, 10: 100, 11: 200, 20: 200, 21: 300} {
		if got := twice.Of(seq); got != want {
			t.Errorf("sequence %d is of epoch %d, want %d", seq, got, want)
		}
	}
	if !twice.Earlier(20) || twice.Earlier(21) {
		t.Error("sequences up to the backup's last came before, later ones did not")
	}
	drained := read(t, once.AfterRestore(11, 20, time.Unix(0, 300)))
	if drained.Of(9) != 200 {
		t.Errorf("an epoch that the stream has nothing of any more is kept: %+v", drained)
	}
	if _, err := schema.ReadEpochs(created, map[string]string{"corrosion_epochs_before": "7"}); err == nil {
		t.Error("damaged metadata was read")
	}
	kept := schema.KeepEpochs(map[string]string{"corrosion_epoch": "1", "_nats.ver": "2.15"})
	if len(kept) != 1 || schema.KeepEpochs(map[string]string{"a": "b"}) != nil || schema.KeepEpochs(nil) != nil {
		t.Errorf("kept %v", kept)
	}
}

func read(t *testing.T, metadata map[string]string) schema.Epochs {
	t.Helper()
	e, err := schema.ReadEpochs(time.Unix(0, 1), metadata)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
