-- One row: the tombstones of late, 24 bytes each: `queue`, `name`, `ends`. One that is written straight among all the others
-- costs a page of its own nearly every time; these move there together. In the order of their keys, so that the page does not
-- tell in which order they came.
CREATE TABLE fresh_tombstones (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    keys BLOB    NOT NULL
) STRICT;
INSERT INTO fresh_tombstones (one, keys) VALUES (1, x'');
