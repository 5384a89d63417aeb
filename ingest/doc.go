// Package ingest carries samples from JetStream into ClickHouse.
//
// The way of a message: keep.go takes partitions (lease.go), consumer.go pulls their messages, take.go gives them to
// schema/wire, batch.go keeps the samples as columns together with the receipts they owe, insert.go sends one batch as
// one block with one INSERT, and only then are the messages acknowledged. What is bad goes to the stream STATS_DEAD
// (dead.go) before its message is acknowledged.
//
// What is promised:
//
//   - Exactly once: a message that JetStream stored is acknowledged only after ClickHouse has returned from the INSERT
//     that holds all its good samples, and after JetStream has confirmed the dead letters of its bad ones; and no row,
//     whose identity is (epoch, seq, idx), is inserted twice. One process remembers what it holds and has stored
//     (seen.go). What another run may have stored is asked of ClickHouse, and only the rest is inserted (ledger.go):
//     messages up to the highest sequence that was stored when their partition was taken, messages delivered again, and
//     batches whose INSERT was in doubt.
//   - One owner: a partition is inserted by the ingester that has its lease. Ingesters tell each other that they are there
//     (members.go) and hand partitions over until all have as many, to one. An INSERT carries the end of the lease, by
//     ClickHouse's own clock, and is refused when it begins later, however long its sender was stopped. A successor takes
//     a lease that has lapsed, waits until the INSERTs that have begun are over, and then asks what is stored.
//   - What publishers send twice (the same server, boot and n, or the same Nats-Msg-Id of a license) is stored once
//     (twins.go), also by way of the other subject where one process has both partitions. Where two processes have them,
//     the aggregator removes the second.
//   - One license cannot take the machine from the others: what it publishes beyond its quotas is acknowledged and not
//     stored, most of it without being read (meter.go, names.go), and counted for the license (tally.go, journal.go).
//   - Full means full: while ClickHouse is away at most two batches and the consumers' pull buffers are held; pulling
//     stops and JetStream holds the rest, up to its own bound, where it refuses publishers.
//   - Nothing is dropped in silence: every refusal is a dead letter or a count in the license's log, a metric and (at most every ten seconds) a log line.
//   - Marks (events.go) come through a stream of their own, at least once; a mark's id is its message's place, so that
//     what is stored again replaces itself.
//
// What it cannot know: a ClickHouse whose clock is set back by more than a fifth of Takeover may let a late INSERT in,
// and a NATS server that loses confirmed messages in a power cut may give their sequences to others. A killed
// ClickHouse may keep rows without their rollup, which the aggregator rebuilds.
package ingest
