-- What relays that are not open to anybody make our queues for.
CREATE TABLE credit (
    relay  BLOB NOT NULL PRIMARY KEY CHECK (length(relay) = 32),
    credit BLOB NOT NULL CHECK (length(credit) = 32) -- of their operator, and a secret
) STRICT, WITHOUT ROWID;
