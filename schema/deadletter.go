package schema

// Headers of a dead letter. Its body is the bad bytes alone; Content-Encoding says how they are encoded, where they are.
const (
	DeadReason    = "Corrosion-Reason"
	DeadDetail    = "Corrosion-Detail"
	DeadOf        = "Corrosion-Subject" // the subject of the bad message
	DeadEpoch     = "Corrosion-Epoch"
	DeadSeq       = "Corrosion-Seq"
	DeadIdx       = "Corrosion-Idx"       // place in its message; -1: the message as a whole
	DeadTruncated = "Corrosion-Truncated" // length of the bytes before they were cut
	// DeadEncoding is the header that a bad message kept.
	DeadEncoding = "Content-Encoding"
)
