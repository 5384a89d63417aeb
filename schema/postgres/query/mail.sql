-- name: EnqueueMail :exec
-- EnqueueMail adds a mail that is to be sent.
INSERT INTO mail_outbox (id, kind, recipient, data, created_at, next_attempt_at) VALUES (@id, @kind, @recipient, @data, @now, @now);

-- name: ClaimMail :many
-- ClaimMail takes mail that is due; others see it again at retry_at, should this process die.
UPDATE mail_outbox SET attempts = attempts + 1, next_attempt_at = @retry_at
WHERE id IN (
    SELECT m.id FROM mail_outbox m WHERE m.sent_at IS NULL AND m.failed_at IS NULL AND m.next_attempt_at <= @now
    ORDER BY m.next_attempt_at LIMIT @most FOR UPDATE SKIP LOCKED)
RETURNING id, kind, recipient, data, created_at, attempts;

-- name: MailSent :exec
-- MailSent notes that a mail is done with; its data is not needed any longer.
UPDATE mail_outbox SET sent_at = @now::timestamptz, data = '{}', last_error = '' WHERE id = @id;

-- name: MailDelayed :exec
-- MailDelayed notes when to try again, and why.
UPDATE mail_outbox SET next_attempt_at = @retry_at, last_error = @last_error WHERE id = @id;

-- name: MailFailed :exec
-- MailFailed gives a mail up.
UPDATE mail_outbox SET failed_at = @now::timestamptz, data = '{}', last_error = @last_error WHERE id = @id;

-- name: CountWaitingMail :one
-- CountWaitingMail is how much is still to be sent.
SELECT count(*) FROM mail_outbox WHERE sent_at IS NULL AND failed_at IS NULL;
