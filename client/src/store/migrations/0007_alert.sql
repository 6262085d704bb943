-- What is said to some contacts when the profile is destroyed: one text, and to whom (alert.rs).
CREATE TABLE alert (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    body  BLOB NOT NULL,    -- sealed under the key of its seed (body.rs)
    seed  INTEGER NOT NULL  -- a place in the file of seeds, no other row's
) STRICT;
-- However the text goes, its key goes.
CREATE TRIGGER alert_deleted AFTER DELETE ON alert BEGIN
    INSERT OR IGNORE INTO ended_seed (seed) VALUES (old.seed);
END;
CREATE TABLE alert_contact (
    contact  INTEGER PRIMARY KEY REFERENCES contact (id) ON DELETE CASCADE
) STRICT;
