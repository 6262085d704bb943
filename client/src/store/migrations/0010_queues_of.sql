-- Looked at with everything that is said and heard.
CREATE INDEX own_queue_contact ON own_queue (contact);
DROP INDEX own_queue_told;
