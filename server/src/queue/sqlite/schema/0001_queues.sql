-- What a relay keeps. Names are keyed hashes, `ends` are hours since 1970, and mostly midnights. When a queue was made,
-- when a message came, in which order messages came to two queues, and who asked is not kept.

-- `id` is the front of `read`: random, so that the order of rows says nothing about the order of making.
CREATE TABLE queue (
    id         INTEGER NOT NULL PRIMARY KEY,
    read       BLOB    NOT NULL CHECK (length(read) = 32),
    send       BLOB    NOT NULL CHECK (length(send) = 32),
    read_key   BLOB    NOT NULL CHECK (length(read_key) = 32),
    capability BLOB    NOT NULL CHECK (length(capability) = 32),
    -- The end of one of the stretches of 30 days that are the same for all queues, or a midnight if nobody ever read it.
    -- Changed in its place and in no index, where the queues of one person, renewed at once, would come to lie together.
    ends       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX queue_by_send ON queue (send);

-- What changes about a queue, in narrow rows of their own: a commit that touches many queues writes few pages.
-- No place up to `last`, or to that of a message that waits, is given again: places are set aside before they are given.
CREATE TABLE counter (
    queue    INTEGER NOT NULL PRIMARY KEY,
    last     INTEGER NOT NULL,
    was_full INTEGER NOT NULL
) STRICT;

-- `id` begins with when the message ends, and says nothing about when it came: see row.rs.
CREATE TABLE message (
    id       INTEGER NOT NULL PRIMARY KEY,
    queue    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    name     INTEGER NOT NULL,
    bucket   INTEGER NOT NULL,
    envelope BLOB    NOT NULL
) STRICT;
-- Has all that the writer needs to know of a queue, so that it never reads envelopes.
CREATE UNIQUE INDEX message_by_place ON message (queue, sequence, name, bucket);

-- Messages that are gone, as long as a capsule could bring them again. The end comes first: all are midnights, a few at
-- any time, so one tree serves for finding one and for sweeping, and a row is written into one page instead of two.
CREATE TABLE tombstone (
    ends  INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    name  INTEGER NOT NULL,
    PRIMARY KEY (ends, queue, name)
) STRICT, WITHOUT ROWID;

-- `claimant` is empty until somebody claims.
CREATE TABLE blob (
    name     BLOB    NOT NULL PRIMARY KEY CHECK (length(name) = 32),
    owner    BLOB    NOT NULL CHECK (length(owner) = 32),
    ends     INTEGER NOT NULL,
    claimant BLOB    NOT NULL CHECK (length(claimant) IN (0, 32)),
    sealed   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_by_end ON blob (ends);

-- One row: what counts against the cap, and the day of the last sweep.
CREATE TABLE held (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    used  INTEGER NOT NULL,
    swept INTEGER
) STRICT;
INSERT INTO held (one, used) VALUES (1, 0);
