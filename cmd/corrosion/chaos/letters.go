package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// Headers of a dead letter, as the ingester writes them.
const (
	headerReason = "Corrosion-Reason"
	headerEpoch  = "Corrosion-Epoch"
	headerSeq    = "Corrosion-Seq"
	headerIdx    = "Corrosion-Idx"
)

// graves are the letters found so far.
type graves struct {
	bySample, byMessage map[uint32]int
	identities          map[string]int // epoch, seq and idx
}

// verifyLetters wants each bad sample and each bad message buried once, with its reason and its very bytes.
func (v *verifier) verifyLetters(ctx context.Context) error {
	g := graves{map[uint32]int{}, map[uint32]int{}, map[string]int{}}
	if err := v.eachLetter(ctx, func(m jetstream.Msg) { v.letter(&g, m) }); err != nil {
		return err
	}
	expect := func(what string, found, most int, story func() string) {
		v.LettersWanted++
		switch {
		case found == 0:
			v.tell("LETTER LOST", &v.LettersLost, func() string { return what + ": " + story() })
		case found > most && v.config.PublisherDedup:
			v.tell("LETTER REPEATED", &v.LettersDoubled, func() string { return fmt.Sprintf("%s, %d letters: %s", what, found, story()) })
		}
	}
	for id := range v.ledger.samples {
		if r := &v.ledger.samples[id]; r.bad != good {
			expect(string(fronts()[r.bad].reason), g.bySample[uint32(id)], 1, func() string { return v.story(uint32(id)) })
		}
	}
	for number := range v.ledger.messages {
		if m := &v.ledger.messages[number]; m.spoilt != whole {
			most := 1
			if m.spoilt == strangeLicense || m.spoilt == strangeSubject {
				most = int(m.attempts) // a message id is known within a license, and these have none
			}
			expect(string(spoiltReasons()[m.spoilt]), g.byMessage[uint32(number)], most, func() string {
				return fmt.Sprintf("message %d, %s seq %d, %d attempts", number, m.stream, m.seq, m.attempts)
			})
		}
	}
	return nil
}

// letter compares one letter with what was published.
func (v *verifier) letter(g *graves, m jetstream.Msg) {
	h := m.Headers()
	identity := h.Get(headerEpoch) + "/" + h.Get(headerSeq) + "/" + h.Get(headerIdx)
	if g.identities[identity]++; g.identities[identity] > 1 {
		v.tell("LETTER DOUBLED", &v.LettersDoubled, func() string { return identity + " " + h.Get(headerReason) })
		return
	}
	if h.Get(headerIdx) == "-1" {
		number, known := v.ledger.byHash[hashOf(m.Data())]
		want := wire.Reason("")
		if known {
			g.byMessage[number]++
			want = spoiltReasons()[v.ledger.messages[number].spoilt]
		}
		if !known || wire.Reason(h.Get(headerReason)) != want {
			v.tell("LETTER WRONG", &v.LettersWrong, func() string {
				return fmt.Sprintf("%s: reason %s, want %q: %.200q", identity, h.Get(headerReason), want, m.Data())
			})
		}
		return
	}
	found := markerPattern.FindSubmatch(m.Data())
	id := -1
	if found != nil {
		id, _ = strconv.Atoi(string(found[1])) // digits only
	}
	if id < 0 || id >= len(v.ledger.samples) || v.ledger.samples[id].bad == good {
		v.tell("LETTER WRONG", &v.LettersWrong, func() string {
			return fmt.Sprintf("%s: nothing bad was published like this: %s: %.200q", identity, h.Get(headerReason), m.Data())
		})
		return
	}
	g.bySample[uint32(id)]++
	want := fronts()[v.ledger.samples[id].bad].reason
	if wire.Reason(h.Get(headerReason)) != want || !bytes.Equal(m.Data(), v.ledger.encode(uint32(id))) {
		v.tell("LETTER WRONG", &v.LettersWrong, func() string {
			return fmt.Sprintf("%s: reason %s, want %s: %.300q", identity, h.Get(headerReason), want, m.Data())
		})
	}
}

func (v *verifier) eachLetter(ctx context.Context, f func(jetstream.Msg)) error {
	stream, err := v.w.js.Stream(ctx, schema.StreamDead)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find dead letters: %w", err)
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	for left := stream.CachedInfo().State.Msgs; left > 0; {
		batch, err := consumer.Fetch(int(min(left, 500)), jetstream.FetchMaxWait(10*time.Second))
		if err != nil {
			return fmt.Errorf("fetch dead letters: %w", err)
		}
		got := uint64(0)
		for m := range batch.Messages() {
			f(m)
			got++
		}
		if got == 0 {
			return fmt.Errorf("dead letters: %d did not come: %w", left, batch.Error())
		}
		left -= min(got, left)
	}
	return nil
}
