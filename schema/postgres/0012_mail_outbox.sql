-- +goose Up
-- Mail that is to be sent. The text, and any secret in it, is made when it is sent: kind and data say what of.
CREATE TABLE mail_outbox (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
    recipient       text NOT NULL CHECK (length(recipient) BETWEEN 3 AND 254),
    data            jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    sent_at         timestamptz,
    failed_at       timestamptz,
    last_error      text NOT NULL DEFAULT '' CHECK (length(last_error) <= 500)
);
CREATE INDEX mail_outbox_due ON mail_outbox (next_attempt_at) WHERE sent_at IS NULL AND failed_at IS NULL;

-- +goose Down
DROP TABLE mail_outbox;
