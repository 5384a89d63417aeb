-- name: SweepSessions :execrows
-- SweepSessions forgets sessions that ended before a moment, with their refresh tokens.
DELETE FROM sessions WHERE expires_at < @before::timestamptz OR revoked_at < @before::timestamptz;

-- name: SweepRefreshTokens :execrows
-- SweepRefreshTokens forgets tokens that were used before a moment; presented again they are unknown.
DELETE FROM refresh_tokens WHERE used_at < @before::timestamptz;

-- name: SweepRegistrations :execrows
-- SweepRegistrations forgets registrations that nobody confirmed.
DELETE FROM registrations WHERE expires_at < @before::timestamptz;

-- name: SweepPasswordResets :execrows
-- SweepPasswordResets forgets tokens that have expired.
DELETE FROM password_resets WHERE expires_at < @before::timestamptz;

-- name: SweepAttempts :execrows
-- SweepAttempts forgets counts of tries that no longer matter.
DELETE FROM attempts WHERE last_at < @before::timestamptz AND blocked_until < @before::timestamptz;

-- name: SweepMail :execrows
-- SweepMail forgets mail that was sent or given up before a moment.
DELETE FROM mail_outbox WHERE sent_at < @before::timestamptz OR failed_at < @before::timestamptz;
