-- What is shown of a document in quarantine is what was read last: the position in the log of the last change that its rows
-- were derived from. NULL for a document that is not in quarantine.
ALTER TABLE document ADD COLUMN good_through INTEGER;
