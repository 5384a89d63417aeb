// Package backup takes the whole platform into a directory or an S3 bucket, and brings it back on an empty one.
//
// A backup is files and a manifest that says what each holds: rows and their sum, bytes and SHA-256. Parts, in the order
// in which they are taken:
//
//   - Streams (streams.go), by JetStream's own snapshots: sequences, times and headers stay as they are. Taken first.
//   - ClickHouse (freeze.go): while INSERTs are held off for a moment, every table is cloned by hard links, so that samples
//     and rollups are of one instant; the clones are then read in peace (warehouse.go), a file a table and partition. Of a
//     cluster all shards are cloned at that instant (shards.go), a file a table, partition and shard; put together they are
//     the tables of one server, into which alone a backup is restored.
//   - Postgres (postgres.go): every table in one REPEATABLE READ snapshot, as COPY writes it. Taken after ClickHouse, so
//     that each license that has samples is there.
//   - Dead letters, after the streams that they are about.
//
// Why a restore neither loses nor doubles a sample: a message leaves its stream only once its samples are stored. The streams
// are older than ClickHouse's instant, so each confirmed sample waits in them, or is stored, or both. What is both keeps its
// identity, the stream's epoch and its sequence, by which ingesters know what is stored. Sequences that were given out
// after the snapshot of a stream may be stored, too, and are given out again: the restored stream names them by another
// epoch (schema.Epochs).
package backup
