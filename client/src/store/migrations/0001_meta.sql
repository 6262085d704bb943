-- Single values that belong to the profile as a whole.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY, -- a name that one module owns, e.g. 'crypto.backend'
    value BLOB NOT NULL              -- that module's bytes
) STRICT, WITHOUT ROWID;
