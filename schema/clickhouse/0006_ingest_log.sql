-- +goose Up
-- What became of what a license published, by the minute in which JetStream stored it: accepted, duplicate,
-- rejected:<reason>, quota_samples, quota_bytes, quota_servers (samples refused) and quota_metrics (values left out of
-- accepted samples). Approximate: counts of the last seconds are lost with an ingester that is killed, and a message
-- delivered again after a takeover is counted again. Rows of one key may stand in several parts until they merge.
CREATE TABLE IF NOT EXISTS corrosion.ingest_log
(
    license_id UUID                   CODEC(ZSTD(1)),
    minute     DateTime('UTC')        CODEC(DoubleDelta, ZSTD(1)),
    outcome    LowCardinality(String) CODEC(ZSTD(1)),
    count      UInt64                 CODEC(T64, ZSTD(1)),
    bytes      UInt64                 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((count, bytes))
PARTITION BY toDate(minute)
ORDER BY (license_id, minute, outcome)
TTL minute + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100;

-- +goose Down
DROP TABLE IF EXISTS corrosion.ingest_log;
