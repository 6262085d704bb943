-- Whether its relay said that it is gone, where the contact gave no other one.
ALTER TABLE peer_queue ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
