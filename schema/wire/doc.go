// Package wire reads and writes stats payloads: what game servers publish and what ingest, the live stream, the
// simulator and the replay share. It is pure code: no connections, no clocks, no goroutines.
//
// A payload is one JSON object, a JSON array of objects, or newline-delimited objects (blank lines and \r\n are fine, so
// is one object spread over lines, and a UTF-8 byte order mark), plain or compressed by gzip or zstd. What a sample may
// hold is written in docs/payload.md. Choices made here where the contract leaves room:
//
//   - A key given twice with a value makes its sample bad; null counts as absent, so "x":null,"x":1 is fine.
//   - An unknown numeric field whose name could not name a metric is ignored and counted like other unknown fields.
//   - Bytes that are no UTF-8 cost their sample, not the message; escaped lone surrogates become U+FFFD.
//   - Whole numbers may be written 12, 12.0 or 1.2e1; the exponent form is read as a double.
//   - Nesting deeper than 10,000 counts as broken JSON.
package wire
