-- name: LockEarlyAccess :one
-- LockEarlyAccess keeps others from adding a signup or taking a slot until the transaction ends; it gives the number of signups.
SELECT signups FROM early_access_totals FOR UPDATE;

-- name: ReadEarlyAccess :one
-- ReadEarlyAccess gives the number of signups, of slots, and of those that are taken.
SELECT t.signups, s.slots, s.taken
FROM early_access_totals t,
    (SELECT count(*) AS slots, count(*) FILTER (WHERE position IS NOT NULL AND (held_until IS NULL OR held_until > @now::timestamptz)) AS taken
     FROM founding_slots) s;

-- name: ChangeSignup :one
-- ChangeSignup writes down what somebody who signed up says now; the number of servers only until the email is confirmed,
-- for from then on others could not be told from its owner. No row = the email has not signed up.
UPDATE early_access_signups SET
    server_count = CASE WHEN confirmed_at IS NULL THEN @server_count ELSE server_count END,
    network_name = COALESCE(sqlc.narg(network_name), network_name)
WHERE email_key = @email_key RETURNING position, segment, confirmed_at;

-- name: AddSignup :one
-- AddSignup gives an email the next place. LockEarlyAccess comes first.
WITH counted AS (UPDATE early_access_totals SET signups = signups + 1 RETURNING signups)
INSERT INTO early_access_signups (position, email, email_key, server_count, network_name, created_at)
SELECT signups, @email, @email_key, @server_count, sqlc.narg(network_name), @now FROM counted
RETURNING position, segment, confirmed_at;

-- name: FindSignup :one
-- FindSignup reads the signup of an email, with its founding slot.
SELECT g.position, g.network_name, g.confirmed_at, COALESCE(f.slot, 0)::smallint AS slot, f.held_until
FROM early_access_signups g LEFT JOIN founding_slots f ON f.position = g.position WHERE g.email_key = @email_key;

-- name: ConfirmSignup :exec
-- ConfirmSignup notes that the email's owner has opened the link.
UPDATE early_access_signups SET confirmed_at = COALESCE(confirmed_at, @now::timestamptz) WHERE position = @position;

-- name: HoldSlot :one
-- HoldSlot finds the slot that a signup has, and holds it anew where its time had run out. No row = it has none.
UPDATE founding_slots SET held_until = CASE WHEN held_until <= @now::timestamptz THEN sqlc.narg(hold)::timestamptz ELSE held_until END
WHERE position = @position RETURNING slot, held_until;

-- name: TakeSlot :one
-- TakeSlot gives a signup the first slot that is free, or that nobody confirmed in time. No row = all are taken.
-- LockEarlyAccess comes first.
UPDATE founding_slots SET position = @position, claimed_at = @now, held_until = sqlc.narg(hold)
WHERE slot = (SELECT f.slot FROM founding_slots f WHERE f.position IS NULL OR f.held_until <= @now ORDER BY f.slot LIMIT 1)
RETURNING slot;

-- name: KeepSlot :exec
-- KeepSlot makes a slot a signup's for good.
UPDATE founding_slots SET held_until = NULL WHERE position = @position;

-- name: ListSignups :many
-- ListSignups reads those behind a place, in order; segment '' = of all segments.
SELECT g.position, g.email, g.server_count, g.segment, g.network_name, g.created_at, g.confirmed_at, COALESCE(f.slot, 0)::smallint AS slot, f.held_until
FROM early_access_signups g LEFT JOIN founding_slots f ON f.position = g.position
WHERE g.position > @after AND (@segment::text = '' OR g.segment = @segment::text)
ORDER BY g.position LIMIT @most;

-- name: CountSegments :many
-- CountSegments counts signups by segment.
SELECT segment, count(*) AS signups, count(confirmed_at) AS confirmed FROM early_access_signups GROUP BY segment;

-- name: SpendProof :execrows
-- SpendProof uses a proof of work; 0 = it was used before.
INSERT INTO early_access_proofs (digest, expires_at) VALUES (@digest, @expires_at) ON CONFLICT DO NOTHING;

-- name: SweepProofs :execrows
-- SweepProofs forgets proofs that count no more anyway.
DELETE FROM early_access_proofs WHERE expires_at < @before::timestamptz;

-- name: ForgetSignup :one
-- ForgetSignup takes what tells a person out of a signup, whose place stays, and gives the key of its email. No row = no such place.
UPDATE early_access_signups g SET email = @nobody, email_key = @nobody, network_name = NULL
FROM (SELECT o.position, o.email_key FROM early_access_signups o WHERE o.position = @position FOR UPDATE) old
WHERE g.position = old.position RETURNING old.email_key;

-- name: FreeSlot :exec
-- FreeSlot gives back the slot of a signup.
UPDATE founding_slots SET position = NULL, claimed_at = NULL, held_until = NULL WHERE position = @position;
