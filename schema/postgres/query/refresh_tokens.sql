-- name: CreateRefreshToken :exec
-- CreateRefreshToken adds a token to a session's family.
INSERT INTO refresh_tokens (digest, session_id, parent, created_at) VALUES (@digest, @session_id, sqlc.narg(parent), @now);

-- name: FindRefreshToken :one
-- FindRefreshToken reads a token. Lock its session first: the row changes under that lock only.
SELECT * FROM refresh_tokens WHERE digest = @digest;

-- name: UseRefreshTokens :exec
-- UseRefreshTokens ends every token of a session that has not been used: one generation of a family is good at a time.
UPDATE refresh_tokens SET used_at = @now::timestamptz WHERE session_id = @session_id AND used_at IS NULL;

-- name: RefreshSuccessorUsed :one
-- RefreshSuccessorUsed tells whether a token that was given for this one has been used itself.
SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE session_id = @session_id AND parent = @parent::bytea AND used_at IS NOT NULL);

-- name: CountRefreshSuccessors :one
-- CountRefreshSuccessors is how many tokens have been given for this one.
SELECT count(*) FROM refresh_tokens WHERE session_id = @session_id AND parent = @parent::bytea;
