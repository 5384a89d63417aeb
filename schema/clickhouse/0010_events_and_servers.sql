-- +goose Up
-- Marks on charts: wipes, restarts, deploys, map changes, notes. Read them through the view events: a row of event_log is
-- replaced by the one of the same mark with the highest version, and a deleted mark stays as a tombstone, so that neither
-- a message delivered again nor the aggregator's next look brings it back. Versions: 1 as created, then counting as the
-- aggregator withdraws and restores its own marks, 4294967295 deleted by a person. A mark's ts never changes.
-- Weeks fall away whole, 400 days after their last mark.
CREATE TABLE IF NOT EXISTS corrosion.event_log
(
    license_id  UUID                   CODEC(ZSTD(1)),
    ts          DateTime64(3, 'UTC')   CODEC(DoubleDelta, ZSTD(1)),
    event_id    UUID                   CODEC(ZSTD(1)),
    server_id   LowCardinality(String) CODEC(ZSTD(1)),
    kind        LowCardinality(String) CODEC(ZSTD(1)),
    title       String                 CODEC(ZSTD(1)),
    text        String                 CODEC(ZSTD(1)),
    data        String                 CODEC(ZSTD(1)),
    source      LowCardinality(String) CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC')   CODEC(DoubleDelta, ZSTD(1)),
    message_id  String                 CODEC(ZSTD(1)), -- Nats-Msg-Id, where its publisher gave one
    epoch       UInt64                 CODEC(ZSTD(1)),
    seq         UInt64                 CODEC(ZSTD(1)),
    idx         UInt16                 CODEC(ZSTD(1)),
    version     UInt32 DEFAULT 1       CODEC(ZSTD(1)),
    deleted     UInt8 DEFAULT 0        CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toMonday(ts)
ORDER BY (license_id, ts, event_id)
TTL toDateTime(ts) + toIntervalDay(400) DELETE
SETTINGS ttl_only_drop_parts = 1;

-- What stands: each mark once, without the deleted ones. server_id is empty for a mark of the whole network, data is ''
-- or a JSON object, source is nats, api or samples (seen by the aggregator).
CREATE VIEW IF NOT EXISTS corrosion.events AS
SELECT license_id, event_id, toString(server_id) AS server_id, ts, toString(kind) AS kind, title, text, data, toString(source) AS source, received_at
FROM corrosion.event_log FINAL;

-- Which servers are known, and since and until when they were heard: one row a server, for as long as the license. The
-- hours would forget a server that is silent for 90 days.
CREATE TABLE IF NOT EXISTS corrosion.server_seen
(
    license_id UUID,
    server_id  String,
    first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen  SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (license_id, server_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.server_seen_mv TO corrosion.server_seen AS
SELECT license_id, toString(server_id) AS server_id, min(ts) AS first_seen, max(ts) AS last_seen
FROM corrosion.samples
GROUP BY license_id, server_id;

INSERT INTO corrosion.server_seen
SELECT license_id, toString(server_id), min(ts), max(ts) FROM corrosion.samples GROUP BY license_id, server_id;

-- The hours know servers whose samples have expired, to the hour.
INSERT INTO corrosion.server_seen
SELECT license_id, toString(server_id), min(toDateTime64(hour, 3, 'UTC')), max(toDateTime64(hour, 3, 'UTC'))
FROM corrosion.samples_hourly
WHERE (license_id, server_id) NOT IN (SELECT license_id, server_id FROM corrosion.samples)
GROUP BY license_id, server_id;

-- +goose Down
DROP VIEW IF EXISTS corrosion.server_seen_mv;
DROP TABLE IF EXISTS corrosion.server_seen;
DROP VIEW IF EXISTS corrosion.events;
DROP TABLE IF EXISTS corrosion.event_log;
