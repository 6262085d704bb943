-- Hours by which all queues end later than their rows say, because nothing was swept meanwhile (rule Q13): one number, where each
-- row would have to be written anew.
ALTER TABLE held ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
