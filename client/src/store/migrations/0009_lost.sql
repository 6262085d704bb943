-- Its relay said that it is gone, where the contact gave no other one: 1; 2 where the person was told what that means.
ALTER TABLE peer_queue ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
