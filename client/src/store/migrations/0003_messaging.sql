-- What the engine keeps: who we are, whom we know, where messages wait. Times are Unix milliseconds.

-- One row: the person of this store.
CREATE TABLE profile (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    account   BLOB NOT NULL CHECK (length(account) = 16),
    name      TEXT NOT NULL,
    language  TEXT NOT NULL,
    home      BLOB,             -- the relay where own queues are made; none until one is known
    created   INTEGER NOT NULL
) STRICT;

-- Relays that were reached at least once.
CREATE TABLE relay (
    relay     BLOB PRIMARY KEY NOT NULL CHECK (length(relay) = 32),
    address   BLOB,             -- proto's RelayAddress with the routes of its descriptor; none if it names none
    sequence  INTEGER NOT NULL, -- of the newest descriptor seen; an older one is refused
    epoch_day INTEGER NOT NULL  -- of the newest epoch key taken, in days since 1970; an older one is refused
) STRICT;

CREATE TABLE contact (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    handle           BLOB NOT NULL UNIQUE CHECK (length(handle) = 16), -- libsignal's name for the peer: random, local
    identity         BLOB NOT NULL UNIQUE CHECK (length(identity) = 33), -- one key belongs to one contact
    device           INTEGER NOT NULL,
    conversation     BLOB NOT NULL CHECK (length(conversation) = 16),
    name             TEXT NOT NULL,      -- the one we gave, else the one they chose
    state            INTEGER NOT NULL,   -- 1 meeting, 2 active, 3 blocked
    verified         INTEGER NOT NULL,   -- 1 if the safety number was compared
    identity_changed INTEGER NOT NULL,   -- 1 until the person decided about a new key
    needs_queue      INTEGER NOT NULL,   -- 1 until a fresh queue was made and told
    timer_secs       INTEGER NOT NULL,   -- 0: messages stay
    timer_version    INTEGER NOT NULL,
    probed           INTEGER NOT NULL,   -- when a probe was last sent; 0 never
    created          INTEGER NOT NULL
) STRICT;
-- What every step looks for, and seldom finds, has an index that is empty most of the time.
CREATE INDEX contact_needing ON contact (id) WHERE needs_queue = 1;

-- Queues that we read.
CREATE TABLE own_queue (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    relay       BLOB NOT NULL CHECK (length(relay) = 32),
    read_id     BLOB NOT NULL CHECK (length(read_id) = 24),
    send_id     BLOB NOT NULL CHECK (length(send_id) = 24),
    read_key    BLOB NOT NULL CHECK (length(read_key) = 32),
    capability  BLOB NOT NULL CHECK (length(capability) = 32),
    envelope    BLOB NOT NULL CHECK (length(envelope) = 32),
    invite      INTEGER REFERENCES invite (id), -- the one it was made for, which stays as long: who writes first owns it
    contact     INTEGER REFERENCES contact (id) ON DELETE SET NULL,
    state       INTEGER NOT NULL,       -- 1 read, 2 to be deleted at the relay
    retire      INTEGER,                -- when we stop to read it, once a fresh one took its place
    UNIQUE (relay, read_id)
) STRICT;

-- Queues that we write to.
CREATE TABLE peer_queue (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    contact     INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    relay       BLOB NOT NULL CHECK (length(relay) = 32),
    address     BLOB NOT NULL,          -- proto's RelayAddress
    send_id     BLOB NOT NULL CHECK (length(send_id) = 24),
    capability  BLOB NOT NULL CHECK (length(capability) = 32),
    envelope    BLOB NOT NULL CHECK (length(envelope) = 32),
    retired     INTEGER NOT NULL        -- 1: only for what was already sealed to it
) STRICT;
CREATE INDEX peer_queue_contact ON peer_queue (contact);

-- Invites that we made.
CREATE TABLE invite (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    relay         BLOB NOT NULL CHECK (length(relay) = 32),
    blob          BLOB NOT NULL CHECK (length(blob) = 16),
    owner         BLOB NOT NULL CHECK (length(owner) = 32), -- seed of the key that may delete the blob
    conversation  BLOB NOT NULL CHECK (length(conversation) = 16),
    bundle        INTEGER NOT NULL,     -- the id of its pre-keys, which are deleted with it
    link          TEXT NOT NULL,        -- emptied once it was used or ended
    stranger      BLOB NOT NULL CHECK (length(stranger) = 16), -- libsignal's name for whoever accepts
    name          TEXT NOT NULL,        -- what we will call who accepts; may be empty, and is once it is closed
    renews        INTEGER REFERENCES contact (id) ON DELETE SET NULL, -- the contact who comes back with a new key
    state         INTEGER NOT NULL,     -- 1 being put, 2 open, 3 used, 4 ended
    blob_state    INTEGER NOT NULL,     -- 1 at the relay, 2 to be deleted there, 3 gone
    created       INTEGER NOT NULL,
    expires       INTEGER NOT NULL
) STRICT;
CREATE INDEX invite_leaving ON invite (id) WHERE blob_state = 2;

-- Keys with which we claimed invites of others: the same key may claim again after a crash.
CREATE TABLE claim (
    blob     BLOB PRIMARY KEY NOT NULL CHECK (length(blob) = 16),
    key      BLOB NOT NULL CHECK (length(key) = 32),
    expires  INTEGER NOT NULL
) STRICT;

-- Its number, like those of the three tables below, comes from `number.rs`: AUTOINCREMENT would write a page more each time.
CREATE TABLE message (
    id        INTEGER PRIMARY KEY,
    contact   INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    content   BLOB NOT NULL CHECK (length(content) = 16),
    outgoing  INTEGER NOT NULL,
    body      BLOB,                     -- sealed under the key of its seed (body.rs); NULL: it has disappeared
    seed      INTEGER,                  -- a place in body.keys, no other row's
    sent      INTEGER NOT NULL,         -- by the sender's clock
    arrived   INTEGER NOT NULL,         -- by ours
    state     INTEGER NOT NULL,         -- outgoing: 1 queued, 2 at the relay, 3 delivered, 4 failed; incoming: 5 new, 6 shown
    timer     INTEGER NOT NULL,         -- seconds; 0: stays
    expires   INTEGER,                  -- set when the timer runs
    fails     INTEGER,                  -- outgoing: when it counts as not delivered
    CHECK ((body IS NULL) = (seed IS NULL))
) STRICT;
-- Not UNIQUE: whoever inserts looks first whether the content is there, and a seed is taken from a set that holds it once.
-- The seed is in it so that an opening reads which are in use without reading the texts.
CREATE INDEX message_content ON message (contact, outgoing, content, seed);
CREATE INDEX message_expires ON message (expires) WHERE expires IS NOT NULL;
CREATE INDEX message_fails ON message (fails) WHERE fails IS NOT NULL;

-- Seeds in body.keys of texts that are gone: each is overwritten there before it is free again.
CREATE TABLE ended_seed (
    seed  INTEGER PRIMARY KEY
) STRICT;
-- However a text goes, its key goes.
CREATE TRIGGER message_deleted AFTER DELETE ON message WHEN old.seed IS NOT NULL BEGIN
    INSERT OR IGNORE INTO ended_seed (seed) VALUES (old.seed);
END;
CREATE TRIGGER message_emptied AFTER UPDATE OF seed ON message WHEN old.seed IS NOT NULL AND new.seed IS NULL BEGIN
    INSERT OR IGNORE INTO ended_seed (seed) VALUES (old.seed);
END;

-- Sealed envelopes on their way to a relay.
CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY,
    contact   INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    queue     INTEGER NOT NULL REFERENCES peer_queue (id) ON DELETE CASCADE,
    message   INTEGER REFERENCES message (id) ON DELETE CASCADE,
    transport BLOB NOT NULL CHECK (length(transport) = 16), -- the message id that the relay sees
    ttl       INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,         -- in a row that ended alike
    full      INTEGER NOT NULL,         -- 1 if the last found the queue full
    due       INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    envelope  BLOB NOT NULL             -- last: what is before it is read without its pages
) STRICT;
-- No index: it is short but where a relay is away, and each would be a page more that a send encrypts and writes.

-- Receipts that wait for their random moment.
CREATE TABLE receipt (
    id       INTEGER PRIMARY KEY,
    contact  INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    content  BLOB NOT NULL CHECK (length(content) = 16),
    due      INTEGER NOT NULL
) STRICT;

-- What front ends are told, in order, until they say that they have it. Refers to rows, never copies a text.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    contact  INTEGER REFERENCES contact (id) ON DELETE CASCADE,
    message  INTEGER,                   -- one that is gone is told of to nobody; the scrub takes the row
    invite   INTEGER REFERENCES invite (id) ON DELETE SET NULL
) STRICT;

-- How often something was dropped, by reason: shown by `status`, never who or what.
CREATE TABLE dropped (
    reason  INTEGER PRIMARY KEY,
    count   INTEGER NOT NULL
) STRICT;
