-- Whether a relay said last that it keeps what waits in memory only: a restart loses it.
ALTER TABLE relay ADD COLUMN volatile INTEGER NOT NULL DEFAULT 0;
