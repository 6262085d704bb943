-- What queues and blobs are paid with, where the relay asks for it. `id` is the front of `name`, a keyed hash. To whom one was
-- given, when it was used and what was made with it is not kept.
CREATE TABLE credit (
    id    INTEGER NOT NULL PRIMARY KEY,
    name  BLOB    NOT NULL CHECK (length(name) = 32),
    makes INTEGER NOT NULL, -- left
    ends  INTEGER NOT NULL
) STRICT;
