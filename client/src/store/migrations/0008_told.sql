-- When a contact was told of a queue of ours, for as long as nothing has come by it: the word of it may have been lost.
ALTER TABLE own_queue ADD COLUMN told INTEGER;
-- Looked at with everything that is said, and seldom found.
CREATE INDEX own_queue_told ON own_queue (contact) WHERE told IS NOT NULL;
