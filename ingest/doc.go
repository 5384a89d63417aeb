// Package ingest carries samples from JetStream into ClickHouse.
//
// The way of a message: consumer.go pulls it, pipeline.go gives it to schema/wire, batch.go keeps its samples as
// columns together with the receipt it owes, insert.go sends one batch as one block with one INSERT, and only then is
// the message acknowledged. What is bad goes to the stream STATS_DEAD (dead.go) before its message is acknowledged.
//
// What is promised:
//
//   - At least once: a message that JetStream stored is acknowledged only after ClickHouse has returned from the INSERT
//     that holds all its good samples, and after JetStream has confirmed the dead letters of its bad ones.
//   - Once within one process: a row's identity is (epoch, seq, idx), and a redelivered message whose rows this process
//     holds or has stored is not stored again. A broken connection to a ClickHouse that kept running is resent with the
//     token of the first try, which ClickHouse and its views drop if they know it. After a ClickHouse that was started
//     anew the token proves nothing, so the batch goes under a new one: doubled at worst, never lost.
//   - Full means full: while ClickHouse is away at most two batches and the consumers' pull buffers are held; pulling
//     stops and JetStream holds the rest, up to its own bound, where it refuses publishers.
//   - Nothing is dropped in silence: every refusal is a dead letter, a metric and (at most every ten seconds) a log line.
package ingest
