-- name: ListServers :many
-- ListServers reads everything that is written of the servers of a license.
SELECT license_id, server_id, name, tags, groups, notes, expected_interval_s, archived_at, created_at, updated_at FROM servers WHERE license_id = @license_id ORDER BY server_id;

-- name: FindServer :one
-- FindServer reads what is written of one server.
SELECT license_id, server_id, name, tags, groups, notes, expected_interval_s, archived_at, created_at, updated_at FROM servers WHERE license_id = @license_id AND server_id = @server_id;

-- name: CountServers :one
-- CountServers counts the servers of which something is written.
SELECT count(*) FROM servers WHERE license_id = @license_id;

-- name: LockThing :exec
-- LockThing makes changes of one thing follow each other until the transaction ends, whether it has a row or not.
SELECT pg_advisory_xact_lock(hashtextextended(@what::text, 7));

-- name: PutServer :one
-- PutServer writes everything that people say about a server.
INSERT INTO servers (license_id, server_id, name, tags, groups, notes, expected_interval_s, archived_at)
VALUES (@license_id, @server_id, @name, @tags, @groups, @notes, @expected_interval_s, @archived_at)
ON CONFLICT (license_id, server_id) DO UPDATE SET name = excluded.name, tags = excluded.tags, groups = excluded.groups,
    notes = excluded.notes, expected_interval_s = excluded.expected_interval_s, archived_at = excluded.archived_at, updated_at = now()
RETURNING license_id, server_id, name, tags, groups, notes, expected_interval_s, archived_at, created_at, updated_at;

-- name: SelectServers :many
-- SelectServers gives the servers that have, for each key of wanted ({"key": ["value"]}), one of its values, and, unless
-- groups is empty, are in one of groups.
SELECT s.server_id FROM servers s
WHERE s.license_id = @license_id
    AND NOT EXISTS (SELECT FROM jsonb_each(@wanted::jsonb) AS w WHERE NOT coalesce(w.value ? (s.tags ->> w.key), false))
    AND (cardinality(@groups::text[]) = 0 OR s.groups && @groups::text[])
ORDER BY s.server_id
LIMIT @most;

-- name: ServersByTag :many
-- ServersByTag gives the servers that have a tag, with its value.
SELECT (tags ->> @key::text)::text AS name, server_id FROM servers
WHERE license_id = @license_id AND tags ? @key::text
ORDER BY name, server_id;

-- name: ServersByGroup :many
-- ServersByGroup gives the servers of each group; a server stands in each of its groups.
SELECT g.name::text AS name, s.server_id FROM servers s, unnest(s.groups) AS g(name)
WHERE s.license_id = @license_id
ORDER BY g.name, s.server_id;

-- name: ServerBook :many
-- ServerBook gives what a summary must know of each server.
SELECT server_id, expected_interval_s, (archived_at IS NOT NULL)::boolean AS archived FROM servers WHERE license_id = @license_id;
