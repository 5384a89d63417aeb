package wire

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-faster/jx"
	"github.com/google/uuid"

	"corrosion/schema"
)

// Envelope is what JetStream knows of a message beside its body.
type Envelope struct {
	License uuid.UUID
	// SubjectServer is the server that the subject names; empty where it names none.
	SubjectServer string
	// StoredAt is when JetStream stored the message, ms since the epoch.
	StoredAt int64
	// Epoch and Seq are the stream's incarnation and sequence.
	Epoch, Seq uint64
}

// Reject is something bad of a message.
type Reject struct {
	Reason Reason
	// Detail is for humans and names the field.
	Detail string
	// Bytes are the bad bytes alone: a sample's or a line's, decompressed; of a whole message its body as published.
	Bytes []byte
	// Index is the sample's place in the message; -1 is the whole message.
	Index int
}

// Stats counts one message. Rejected is 1 for a whole message, however many samples it holds.
type Stats struct {
	Samples, Rejected int
	// IgnoredFields are unknown fields of good samples that are no metrics.
	IgnoredFields int
}

// Decoder decodes messages one after the other; it is not safe for concurrent use. It allocates nothing for a sample
// once it has seen messages of that size and the names in them, and keeps at most some 70 MiB for the largest ones.
type Decoder struct {
	inflater inflater
	json     *jx.Decoder
	keys     keys
	servers  interner
	texts    interner

	env Envelope
	// validText tells that the whole text is UTF-8, so that its samples need not be looked at.
	validText bool
	// samples and faults hold an array until its end is known to be there; metrics holds the metrics of all of them.
	samples []schema.Sample
	faults  []indexedFault
	metrics []schema.Metric
	scratch []byte

	// ignored counts the unknown fields of the sample in work.
	ignored int
	// plain is how long the last message was after decompression.
	plain int
	timed bool
}

type indexedFault struct {
	index int
	fault fault
}

// sink takes what Decode finds.
type sink struct {
	good  func(*schema.Sample)
	bad   func(Reject)
	stats *Stats
}

func (out sink) sample(s *schema.Sample, ignored int) {
	out.stats.Samples++
	out.stats.IgnoredFields += ignored
	out.good(s)
}

func (out sink) reject(f fault, index int, bytes []byte) {
	out.stats.Rejected++
	out.bad(Reject{Reason: f.reason, Detail: f.detail, Bytes: bytes, Index: index})
}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder {
	return &Decoder{
		json:    jx.DecodeBytes(nil),
		keys:    newKeys(),
		servers: newInterner(),
		texts:   newInterner(),
		samples: make([]schema.Sample, 1),
		scratch: make([]byte, 0, schema.MaxTextLen),
	}
}

// Decode reads one message and calls good for each sample and bad for each fault, in the order of the message.
// contentEncoding is the message's header: empty, identity, gzip or zstd. The sample and the Reject's bytes are valid
// until their callback returns; strings in the sample stay valid. No sample is delivered of a message that is bad as
// a whole.
func (d *Decoder) Decode(
	env Envelope, contentEncoding string, body []byte, good func(*schema.Sample), bad func(Reject),
) Stats {
	var stats Stats
	out := sink{good, bad, &stats}
	d.env, d.plain = env, len(body)
	if f := d.message(contentEncoding, body, out); f.reason != "" {
		out.reject(f, -1, body)
	}
	return stats
}

// PlainBytes is how long the message that was decoded last is after decompression; where it could not be decompressed,
// as published.
func (d *Decoder) PlainBytes() int { return d.plain }

// message delivers what is in body; its fault is that of the message as a whole.
func (d *Decoder) message(contentEncoding string, body []byte, out sink) fault {
	text, f := d.inflater.inflate(contentEncoding, body)
	if f.reason != "" {
		return f
	}
	d.plain = len(text)
	text = trimText(text)
	if len(text) == 0 {
		return fault{Empty, "message holds nothing"}
	}
	d.validText = utf8.Valid(text)
	d.metrics = d.metrics[:0]
	switch d.shape(text) {
	case array:
		return d.array(text, out)
	case lines:
		return d.lines(text, out)
	default:
		d.line(text, 0, out)
		return fault{}
	}
}

// array delivers the elements of an array once its end was seen.
func (d *Decoder) array(text []byte, out sink) fault {
	n, ignored, f := d.readArray(text)
	if f.reason != "" {
		return f
	}
	if len(d.faults) == 0 && d.validText {
		out.stats.IgnoredFields += ignored
		for i := range n {
			out.sample(&d.samples[i], 0)
		}
		return fault{}
	}
	return d.deliverMixed(text, ignored, out)
}

// readArray decodes text into samples and faults, in order. Its fault is that of the message.
func (d *Decoder) readArray(text []byte) (n, ignored int, f fault) {
	d.faults = d.faults[:0]
	d.json.ResetBytes(text)
	elements, err := d.json.ArrIter()
	if err != nil {
		return 0, 0, malformed(err)
	}
	for ; elements.Next(); n++ {
		if n == schema.MaxMessageSamples {
			return 0, 0, tooManySamples()
		}
		if n == len(d.samples) {
			d.samples = append(d.samples, schema.Sample{})
		}
		bad, err := d.value(&d.samples[n], n)
		if err != nil {
			return 0, 0, malformed(fmt.Errorf("sample %d: %w", n, err))
		}
		if bad.reason != "" {
			d.faults = append(d.faults, indexedFault{n, bad})
			continue
		}
		ignored += d.ignored
	}
	if err := elements.Err(); err != nil {
		return 0, 0, malformed(err)
	}
	return n, ignored, d.trailing()
}

// deliverMixed delivers an array that has bad samples: it walks over the text again to find their bytes.
func (d *Decoder) deliverMixed(text []byte, ignored int, out sink) fault {
	d.json.ResetBytes(text)
	elements, err := d.json.ArrIter()
	if err != nil {
		return malformed(err)
	}
	out.stats.IgnoredFields += ignored
	faults := d.faults
	for i := 0; elements.Next(); i++ {
		raw, err := d.json.Raw()
		if err != nil {
			return malformed(err)
		}
		raw = trimSpace(raw)
		switch {
		case !d.validText && !utf8.Valid(raw):
			out.reject(badUTF8(), i, raw)
		case len(faults) > 0 && faults[0].index == i:
			out.reject(faults[0].fault, i, raw)
		default:
			out.sample(&d.samples[i], 0)
		}
		if len(faults) > 0 && faults[0].index == i {
			faults = faults[1:]
		}
	}
	return fault{}
}

// line delivers one value that stands alone.
func (d *Decoder) line(text []byte, index int, out sink) {
	s := &d.samples[0]
	d.metrics = d.metrics[:0]
	d.json.ResetBytes(text)
	f, err := d.value(s, index)
	switch {
	case !d.validText && !utf8.Valid(text):
		f = badUTF8()
	case err != nil:
		f = malformed(err)
	default:
		if broken := d.trailing(); broken.reason != "" {
			f = broken
		}
	}
	if f.reason != "" {
		out.reject(f, index, text)
		return
	}
	out.sample(s, d.ignored)
}

// trailing is the fault of having more than the value just read.
func (d *Decoder) trailing() fault {
	if err := d.json.Skip(); !errors.Is(err, io.EOF) {
		return fault{Malformed, "more follows the end of the JSON value"}
	}
	return fault{}
}

func tooManySamples() fault {
	return fault{TooManySamples, fmt.Sprintf("more than %d samples in one message", schema.MaxMessageSamples)}
}

func badUTF8() fault { return fault{BadUTF8, "bytes are no UTF-8"} }

func malformed(err error) fault { return fault{Malformed, "broken JSON: " + clip(err.Error(), 200)} }
