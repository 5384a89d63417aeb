-- +goose Up
-- Who rewrites rollups and holds inserts off meanwhile: one row, the newest. Until its end, by this server's own clock, no
-- INSERT of samples may begin; after it, none may be tried again whose first try began before. A Join table is held in
-- memory and on disk, and asking it costs an INSERT a tenth of a millisecond. Not for readers.
CREATE TABLE IF NOT EXISTS corrosion.healing
(
    key    UInt8,
    healer String,
    until  DateTime64(6, 'UTC')
)
ENGINE = Join(ANY, LEFT, key)
SETTINGS join_any_take_last_row = 1;

-- +goose Down
DROP TABLE IF EXISTS corrosion.healing;
