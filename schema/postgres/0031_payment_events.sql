-- +goose Up
-- What payment providers told unasked. Each event counts once; kept long enough to outlast every repetition.
CREATE TABLE payment_events (
    gateway     text NOT NULL,
    event_id    text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 128),
    event_type  text NOT NULL CHECK (length(event_type) <= 128),
    purchase_id uuid,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (gateway, event_id)
);
CREATE INDEX payment_events_received ON payment_events (received_at);

-- +goose Down
DROP TABLE payment_events;
