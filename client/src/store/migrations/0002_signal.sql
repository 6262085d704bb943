-- Our own keys. One row.
CREATE TABLE signal_account (
    id                 INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    identity_pair      BLOB    NOT NULL, -- libsignal's IdentityKeyPairStructure, private half included
    registration_id    INTEGER NOT NULL, -- 14 bits
    online_key         BLOB    NOT NULL, -- private key that signs sender certificates
    server_certificate BLOB    NOT NULL, -- the identity key's word for the online key
    sender_certificate BLOB,             -- NULL until the first send
    certificate_made   INTEGER           -- Unix milliseconds
) STRICT;

-- Whom a handle means, for ever. One key belongs to one handle: two contacts never share an identity.
CREATE TABLE signal_identity (
    handle   BLOB NOT NULL PRIMARY KEY, -- 16 random bytes
    identity BLOB NOT NULL UNIQUE       -- 33 bytes
) STRICT, WITHOUT ROWID;

-- With row ids: a record of some KiB in the key's own tree would be read whole for every comparison.
CREATE TABLE signal_session (
    handle BLOB    NOT NULL,
    device INTEGER NOT NULL,
    record BLOB    NOT NULL, -- libsignal's RecordStructure, at most 3 archived states; padded
    PRIMARY KEY (handle, device)
) STRICT;

-- Private halves of the bundles we gave out. They go together, when the bundle was used or given up.
CREATE TABLE signal_pre_key (
    kind   INTEGER NOT NULL CHECK (kind IN (1, 2, 3)), -- 1 one-time, 2 signed, 3 Kyber
    id     INTEGER NOT NULL,                           -- 24 random bits
    bundle INTEGER NOT NULL,                           -- the id of the bundle's signed pre-key
    record BLOB    NOT NULL,                           -- libsignal's record
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_pre_key_bundle ON signal_pre_key (bundle);

-- First messages already taken: the same one must not begin a second session.
CREATE TABLE signal_used_pre_key (
    kyber_id  INTEGER NOT NULL,
    signed_id INTEGER NOT NULL,
    base_key  BLOB    NOT NULL,
    PRIMARY KEY (kyber_id, signed_id, base_key)
) STRICT, WITHOUT ROWID;

-- What a sender made us compute of late; past a limit their messages are dropped untried for the rest of the hour.
CREATE TABLE signal_failures (
    handle BLOB    NOT NULL PRIMARY KEY,
    count  INTEGER NOT NULL, -- steps skipped; a failure counts as many
    since  INTEGER NOT NULL  -- Unix milliseconds of the first of them
) STRICT, WITHOUT ROWID;
