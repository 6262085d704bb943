-- What the relay's secret answers that made the names (rule Q11). NULL until the first opening that knows it.
ALTER TABLE held ADD COLUMN key_proof BLOB CHECK (length(key_proof) = 32);
