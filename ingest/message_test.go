package ingest

import (
	"fmt"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

func TestIsAcknowledgement(t *testing.T) {
	for body, want := range map[string]bool{
		`{"stream":"STATS","seq":12}`:                        true,
		`{"stream":"STATS", "domain":"x","seq":12}`:          true,
		`{"stream":"STATS","seq":12,"duplicate":true}`:       true,
		`{"stream":"x","seq":1,"server_id":"a","players":1}`: false,
		`{"server_id":"a","seq":1}`:                          false,
		`{"stream":"STATS"}`:                                 false,
		``:                                                   false,
	} {
		if isAcknowledgement([]byte(body)) != want {
			t.Errorf("%s: want %v", body, want)
		}
	}
}

// JetStream sends its answer where the publisher says, also to a subject that the publisher itself may not use: the
// license that it comes to finds nothing of it.
func TestForgedRepliesLeaveNoTrace(t *testing.T) {
	r := newRig(t, rigOptions{})
	mine, theirs := r.licenses.add(), r.licenses.add()
	reply := map[string]string{
		schema.StatsSubject(theirs): `{"server_id":"a","players":1}`, schema.EventsSubject(theirs): `{"server_id":"b","players":1}`,
	}
	for to, body := range reply {
		if err := r.nc.PublishRequest(schema.StatsSubject(mine), to, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	r.waitStored(mine, 2, 30*time.Second)
	localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
		samples, marks := r.metric("corrosion_ingest_samples_rejected_total"), r.metric("corrosion_ingest_events_rejected_total")
		if samples != 1 || marks != 1 {
			return fmt.Errorf("%v and %v rejected, want 1 of each", samples, marks)
		}
		return nil
	})
	r.waitAcked(30 * time.Second)
	if letters := r.letters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
}
