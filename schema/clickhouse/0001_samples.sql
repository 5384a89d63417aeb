-- +goose Up
-- Every sample as it was published. A row's identity is (epoch, seq, idx): the stream's incarnation, its sequence and
-- the place in the message. The limit counts from the later of ts and received_at, so that history brought in late is
-- kept as long as fresh samples are; whole day partitions fall away, nothing is rewritten. Codecs were measured column by
-- column on recorded and simulated samples: BenchmarkCodecs, docs/benchmarks.md.
CREATE TABLE IF NOT EXISTS corrosion.samples
(
    license_id  UUID                             CODEC(ZSTD(1)),
    server_id   LowCardinality(String)           CODEC(ZSTD(1)),
    ts          DateTime64(3, 'UTC')             CODEC(DoubleDelta, ZSTD(1)),
    n           Nullable(UInt64)                 CODEC(DoubleDelta, ZSTD(1)),
    boot        LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    players     Nullable(UInt32)                 CODEC(Delta, ZSTD(1)),
    max_players Nullable(UInt32)                 CODEC(T64, ZSTD(1)),
    queued      Nullable(UInt32)                 CODEC(T64, ZSTD(1)),
    joining     Nullable(UInt32)                 CODEC(T64, ZSTD(1)),
    sleepers    Nullable(UInt32)                 CODEC(Delta, ZSTD(1)),
    fps         Nullable(Float64)                CODEC(ZSTD(1)),
    frame_ms    Nullable(Float64)                CODEC(ZSTD(1)),
    entities    Nullable(UInt32)                 CODEC(Delta, ZSTD(1)),
    memory_mb   Nullable(Float64)                CODEC(ZSTD(1)),
    cpu_percent Nullable(Float64)                CODEC(ZSTD(1)),
    net_in      Nullable(UInt64)                 CODEC(T64, ZSTD(1)),
    net_out     Nullable(UInt64)                 CODEC(T64, ZSTD(1)),
    uptime_s    Nullable(UInt32)                 CODEC(Delta, ZSTD(1)),
    map         LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    version     LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    metrics     Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    epoch       UInt64                           CODEC(Delta, ZSTD(1)),
    seq         UInt64                           CODEC(DoubleDelta, ZSTD(1)),
    idx         UInt16                           CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC')             CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (license_id, server_id, ts)
TTL toDateTime(greatest(ts, received_at)) + toIntervalDay(7) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

-- +goose Down
DROP TABLE IF EXISTS corrosion.samples;
