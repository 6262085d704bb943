-- What an invite brought to make queues for at its relay, where that asks for something: used before what its operator gave.
CREATE TABLE handed_credit (
    relay  BLOB NOT NULL PRIMARY KEY CHECK (length(relay) = 32),
    credit BLOB NOT NULL CHECK (length(credit) = 32)
) STRICT, WITHOUT ROWID;
