-- +goose Up
-- The Nats-Msg-Ids of the last minutes, so that an ingester that takes over knows what was sent before. Not for readers.
CREATE TABLE IF NOT EXISTS corrosion.message_ids
(
    license_id UUID                 CODEC(ZSTD(1)),
    id         String               CODEC(ZSTD(1)),
    epoch      UInt64               CODEC(Delta, ZSTD(1)),
    seq        UInt64               CODEC(Delta, ZSTD(1)),
    stored_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(stored_at)
ORDER BY stored_at
TTL toDateTime(stored_at) + toIntervalHour(1) DELETE
SETTINGS ttl_only_drop_parts = 1;

-- +goose Down
DROP TABLE IF EXISTS corrosion.message_ids;
