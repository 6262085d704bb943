-- Texts of others that came and are gone, so that they are not shown again. Not with whom, nor in which order.
CREATE TABLE gone (
    trace  BLOB    NOT NULL PRIMARY KEY CHECK (length(trace) = 32), -- a hash of contact and content (gone.rs)
    until  INTEGER NOT NULL                                         -- the end of a week
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_until ON gone (until);
