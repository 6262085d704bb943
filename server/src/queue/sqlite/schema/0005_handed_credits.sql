-- Credits that came with a blob, for whom the invite brings: as `credit`, but of no operator's list. Which credit one came of, and
-- with which blob, is not kept. `makes` is never 0: what is used up goes.
CREATE TABLE handed_credit (
    id    INTEGER NOT NULL PRIMARY KEY,
    name  BLOB    NOT NULL CHECK (length(name) = 32),
    makes INTEGER NOT NULL, -- left
    ends  INTEGER NOT NULL
) STRICT;
CREATE INDEX handed_credit_by_end ON handed_credit (ends);
