-- +goose Up
-- What is planned, being built and shipped. votes is the number of rows in roadmap_votes, kept in the same statement.
CREATE TABLE roadmap_items (
    id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    title       text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    description text NOT NULL CHECK (length(description) <= 1000),
    state       text NOT NULL CHECK (state IN ('planned', 'building', 'shipped')),
    rank        integer NOT NULL,
    votes       bigint NOT NULL DEFAULT 0 CHECK (votes >= 0)
);

-- One vote a person and item.
CREATE TABLE roadmap_votes (
    item_id    text NOT NULL REFERENCES roadmap_items (id) ON DELETE CASCADE,
    email_key  text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (item_id, email_key)
);

-- happens_at is null for the launch itself, whose moment is a setting.
CREATE TABLE launch_timeline (
    id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    happens_at  timestamptz,
    title       text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    description text NOT NULL CHECK (length(description) <= 1000),
    rank        integer NOT NULL
);

-- Links in mails that confirm a signup, a vote, or that a vote is taken back. Each counts once.
CREATE TABLE early_access_links (
    token_digest bytea PRIMARY KEY CHECK (length(token_digest) = 32),
    purpose      text NOT NULL CHECK (purpose IN ('signup', 'vote', 'unvote')),
    email_key    text NOT NULL,
    item_id      text REFERENCES roadmap_items (id) ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL,
    CHECK ((purpose = 'signup') = (item_id IS NULL))
);
CREATE INDEX early_access_links_expires ON early_access_links (expires_at);

INSERT INTO roadmap_items (id, state, rank, title, description) VALUES
    ('dashboards', 'building', 10, 'Dashboards for whole networks', 'Every server on one page: players, frame time, memory, restarts and wipes, live and over 30 days, from a phone to a wall screen.'),
    ('modules', 'building', 20, 'Modules installed from the browser', 'Buy a plugin such as Loot Manager once and roll it out to your servers, with progress, checksums and a way back.'),
    ('companion-agent', 'building', 30, 'Companion agent', 'Runs beside the game server, takes signed commands over NATS and puts plugins in place without an open port.'),
    ('alerts', 'planned', 40, 'Alerts', 'Tell me by mail or webhook when a server falls silent, frames get slow or memory only grows.'),
    ('status-pages', 'planned', 50, 'Public status pages', 'A page for your players: who is online, what is full, when the next wipe is.'),
    ('player-retention', 'planned', 60, 'Player retention by wipe', 'How many players come back a day, a week and a wipe later, by server and map.'),
    ('wipe-planner', 'planned', 70, 'Wipe planner', 'Compare wipe days and hours by what they did to your peaks, and plan the next ones.'),
    ('publishers', 'planned', 80, 'Ready-made publishers', 'Plugins that publish from the game servers you run; any program that speaks NATS can do so today.'),
    ('exactly-once', 'shipped', 90, 'Every sample stored exactly once', 'What JetStream has confirmed reaches the charts once, whatever process dies.'),
    ('analytics-api', 'shipped', 100, 'Analytics API and exports', 'Summaries, time series and exports as CSV, NDJSON and Parquet, for as long as samples are kept.'),
    ('live', 'shipped', 110, 'Live figures', 'Totals and every server''s newest sample in the browser within a second of publishing.'),
    ('grafana', 'shipped', 120, 'Grafana and SQL', 'Dashboards to load into your Grafana, and read-only SQL on your own rows.');

INSERT INTO launch_timeline (id, happens_at, rank, title, description) VALUES
    ('ingest', '2026-11-23T00:00:00Z', 10, 'Ingest and analytics run', 'Samples over NATS, stored exactly once, with rollups that are compared with their rows every hour.'),
    ('accounts', '2026-11-25T00:00:00Z', 20, 'Accounts, live streams, Grafana', 'Sign-in with a second factor, live figures, marks for wipes and deploys, and SQL access for a license.'),
    ('early-access', '2026-11-25T00:00:00Z', 30, 'Early access opens', 'The list and the founding program open, with a demo network that anyone may look at.'),
    ('founders', '2027-01-18T00:00:00Z', 40, 'Founding admins connect', 'The 25 founding networks send their servers first, and what they find is mended before the launch.'),
    ('early-access-list', '2027-02-08T00:00:00Z', 50, 'The list is let in', 'Everybody on the list gets a license, in the order of their places.'),
    ('launch', NULL, 60, 'Launch', 'Open for every network.');

-- +goose Down
DROP TABLE early_access_links;
DROP TABLE launch_timeline;
DROP TABLE roadmap_votes;
DROP TABLE roadmap_items;
