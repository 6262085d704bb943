-- Of the keys in `day.keys`, which one seals what ends on which day: see day.rs. `proof` is nothing, sealed under it: a
-- file of keys that is not the one under which the rows lie does not open it. `over`: it is being destroyed.
CREATE TABLE day_key (
    day   INTEGER NOT NULL PRIMARY KEY,
    slot  INTEGER NOT NULL UNIQUE,
    proof BLOB    NOT NULL,
    over  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Under the key of which day a body is sealed: since 1970. None for what an earlier version stored, as it came.
ALTER TABLE message ADD COLUMN day INTEGER;
ALTER TABLE blob    ADD COLUMN day INTEGER;
