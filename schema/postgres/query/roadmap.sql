-- name: ListRoadmap :many
-- ListRoadmap reads all items: what is being built, what is planned, what is shipped.
SELECT id, title, description, state, votes FROM roadmap_items ORDER BY rank, id;

-- name: ListTimeline :many
-- ListTimeline reads the milestones in order.
SELECT id, happens_at, title, description FROM launch_timeline ORDER BY rank, id;

-- name: FindRoadmapItem :one
-- FindRoadmapItem reads one item, and whether an email has voted for it.
SELECT i.title, i.votes, EXISTS (SELECT FROM roadmap_votes v WHERE v.item_id = i.id AND v.email_key = @email_key) AS voted
FROM roadmap_items i WHERE i.id = @id;

-- name: AddVote :one
-- AddVote counts a vote unless it is there, and gives the number of votes. No row = there is no such item.
WITH added AS (
    INSERT INTO roadmap_votes (item_id, email_key, created_at)
    SELECT i.id, @email_key, @now FROM roadmap_items i WHERE i.id = @id
    ON CONFLICT DO NOTHING RETURNING item_id)
UPDATE roadmap_items SET votes = votes + (SELECT count(*) FROM added) WHERE roadmap_items.id = @id RETURNING votes;

-- name: RemoveVote :one
-- RemoveVote takes a vote back where there is one, and gives the number of votes. No row = there is no such item.
WITH removed AS (DELETE FROM roadmap_votes WHERE item_id = @id AND email_key = @email_key RETURNING item_id)
UPDATE roadmap_items SET votes = votes - (SELECT count(*) FROM removed) WHERE roadmap_items.id = @id RETURNING votes;

-- name: ForgetVoter :exec
-- ForgetVoter leaves an email's votes and takes the email out of them.
UPDATE roadmap_votes SET email_key = @nobody WHERE email_key = @email_key;

-- name: AddEarlyAccessLink :exec
-- AddEarlyAccessLink stores the digest of a link that is about to be mailed.
INSERT INTO early_access_links (token_digest, purpose, email_key, item_id, expires_at)
VALUES (@token_digest, @purpose, @email_key, sqlc.narg(item_id), @expires_at);

-- name: UseEarlyAccessLink :one
-- UseEarlyAccessLink takes a link that has not expired; it is gone then.
DELETE FROM early_access_links WHERE token_digest = @token_digest AND expires_at > @now::timestamptz RETURNING purpose, email_key, item_id;

-- name: SweepEarlyAccessLinks :execrows
-- SweepEarlyAccessLinks forgets links that have expired.
DELETE FROM early_access_links WHERE expires_at < @before::timestamptz;
