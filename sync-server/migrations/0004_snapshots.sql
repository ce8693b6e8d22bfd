-- Snapshots: one chunk in place of all changes of a document up to some position of its account's log.

-- What a document's log consists of, so that those for which a snapshot pays are found without looking at the others.
ALTER TABLE document ADD COLUMN loose INTEGER NOT NULL DEFAULT 0;     -- how many of its changes are stored one by one
ALTER TABLE document ADD COLUMN covered INTEGER NOT NULL DEFAULT 0;   -- how many are stored in its snapshot only
ALTER TABLE document ADD COLUMN is_unfit INTEGER NOT NULL DEFAULT 0;  -- 1 if no snapshot could be made of it

UPDATE document SET loose = (
    SELECT COUNT(*) FROM change WHERE change.account = document.account AND change.doc = document.doc
);

-- A snapshot is made when this many changes are loose: each change is then written anew a bounded number of times.
CREATE INDEX document_due ON document (account, doc) WHERE is_unfit = 0 AND loose >= 4 AND 2 * loose >= covered;

-- The snapshot of a document; for a moment also the next one.
CREATE TABLE snapshot (
    account  BLOB    NOT NULL,
    doc      BLOB    NOT NULL,
    seq      INTEGER NOT NULL CHECK (seq > 0),                  -- the position of the last change that it covers, and its own
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),    -- 0 to be verified, 1 part of the log, 2 and alone there
    heads    BLOB    NOT NULL CHECK (LENGTH(heads) % 32 = 0),   -- hashes, ascending, one after the other
    changes  INTEGER NOT NULL CHECK (changes > 0),              -- how many it covers
    first_at INTEGER NOT NULL,                                  -- when the relay received the first of them
    last_at  INTEGER NOT NULL,                                  -- and the last
    chunk    BLOB    NOT NULL,                                  -- a whole Automerge document
    PRIMARY KEY (account, doc, seq),
    FOREIGN KEY (account, doc) REFERENCES document (account, doc)
) STRICT;

CREATE INDEX snapshot_in_log ON snapshot (account, seq) WHERE state > 0;
CREATE INDEX snapshot_unfinished ON snapshot (account, doc, seq) WHERE state < 2;

-- A change whose bytes are in the snapshot of its document only: what judging others needs to know of it.
CREATE TABLE covered_change (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    hash    BLOB    NOT NULL CHECK (LENGTH(hash) = 32),
    seq     INTEGER NOT NULL CHECK (seq > 0),       -- its position in the account's log
    max_op  INTEGER NOT NULL CHECK (max_op >= 0),   -- the counter of its last operation
    bytes   INTEGER NOT NULL CHECK (bytes > 0),     -- how long its chunk was
    PRIMARY KEY (account, doc, hash),
    FOREIGN KEY (account, doc) REFERENCES document (account, doc)
) STRICT, WITHOUT ROWID;
