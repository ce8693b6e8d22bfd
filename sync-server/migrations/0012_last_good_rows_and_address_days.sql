-- What is shown of a document in quarantine is what was read last: the position in the log of the last change that its rows
-- were derived from. NULL for a document that is not in quarantine.
ALTER TABLE document ADD COLUMN good_through INTEGER;

-- An account is told of its documents in quarantine without looking through the others.
CREATE INDEX document_quarantined ON document (account, doc) WHERE quarantined IS NOT NULL;

-- How many bytes accounts that are new pushed from an address on a day. Rows of other days are removed.
CREATE TABLE address_day (
    day    INTEGER NOT NULL,                             -- days since 1970 UTC, by the relay's clock
    source BLOB    NOT NULL CHECK (LENGTH(source) = 16), -- names an address, for this relay alone: the address cannot be read off it
    bytes  INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (day, source)
) STRICT, WITHOUT ROWID;
