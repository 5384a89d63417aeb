package wire

// Reason says why something was rejected: a small fixed set, usable as the label of a metric.
type Reason string

// Reasons that cost the whole message.
const (
	// BadEncoding is an unknown Content-Encoding, or bytes that do not decompress by it.
	BadEncoding Reason = "bad-encoding"
	// TooLarge is more than schema.MaxMessageBytes after decompression.
	TooLarge Reason = "too-large"
	// TooManySamples is more than schema.MaxMessageSamples in one message.
	TooManySamples Reason = "too-many-samples"
	// Empty is a message of nothing but blanks.
	Empty Reason = "empty"
)

// Malformed is broken JSON. It costs the message where that is an array, else the line.
const Malformed Reason = "malformed"

// Reasons that cost one sample.
const (
	// NotObject is a value that is no JSON object where a sample belongs.
	NotObject Reason = "not-an-object"
	// BadUTF8 is a sample whose bytes are no UTF-8.
	BadUTF8 Reason = "bad-utf8"
	// Duplicate is a key given twice with a value.
	Duplicate Reason = "duplicate-key"
	// MissingServer is a sample without server_id.
	MissingServer Reason = "missing-server-id"
	// BadServer is a server_id that is none.
	BadServer Reason = "bad-server-id"
	// OtherServer is a server_id other than that of the subject.
	OtherServer Reason = "other-server"
	// WrongType is a value of another JSON type than its field's.
	WrongType Reason = "wrong-type"
	// NotInteger is a fraction in an integer field.
	NotInteger Reason = "not-an-integer"
	// OutOfRange is a number that is negative where it cannot be, not finite, or too big for its field.
	OutOfRange Reason = "out-of-range"
	// BadTime is a ts that is neither RFC 3339 nor a number.
	BadTime Reason = "bad-ts"
	// TimeAhead is a ts more than schema.MaxAhead after the message was stored.
	TimeAhead Reason = "ts-ahead"
	// TimeBehind is a ts more than schema.MaxBehind before the message was stored.
	TimeBehind Reason = "ts-behind"
	// TextTooLong is a map, version or boot of more than schema.MaxTextLen bytes.
	TextTooLong Reason = "text-too-long"
	// BadMetricName is a name in metrics that cannot name one.
	BadMetricName Reason = "bad-metric-name"
	// TooManyMetrics is more than schema.MaxMetrics custom metrics, unknown numeric fields included.
	TooManyMetrics Reason = "too-many-metrics"
)

// Reasons are all reasons there are.
func Reasons() []Reason {
	return []Reason{
		BadEncoding, TooLarge, TooManySamples, Empty, Malformed,
		NotObject, BadUTF8, Duplicate, MissingServer, BadServer, OtherServer, WrongType, NotInteger, OutOfRange,
		BadTime, TimeAhead, TimeBehind, TextTooLong, BadMetricName, TooManyMetrics,
	}
}

// fault is a Reason with the words for a human; the zero fault means none.
type fault struct {
	reason Reason
	detail string
}
