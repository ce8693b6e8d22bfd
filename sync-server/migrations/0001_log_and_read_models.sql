-- The log, which is the truth, and the read models, which can be derived from it again at any time.
--
-- Ids are 16 bytes, hashes and keys 32, times milliseconds since 1970 UTC. The account is part of every key, so that a
-- distributed database can shard by it.

-- This relay. One row.
CREATE TABLE relay (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id    BLOB    NOT NULL CHECK (LENGTH(id) = 16),    -- drawn when the database was made; devices sign it
    epoch BLOB    NOT NULL CHECK (LENGTH(epoch) = 16)  -- which life of the log this is; a restore draws another
) STRICT;

-- An account, from the moment that its first device proved its key.
CREATE TABLE account (
    account BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(account) = 16),
    head    INTEGER NOT NULL CHECK (head >= 0),            -- the position of the newest entry of its log
    digest  BLOB    NOT NULL CHECK (LENGTH(digest) = 32)   -- over the heads of all its documents
) STRICT, WITHOUT ROWID;

-- A device that may speak for an account.
CREATE TABLE device (
    account      BLOB    NOT NULL REFERENCES account (account),
    device       BLOB    NOT NULL CHECK (LENGTH(device) = 32),       -- its Ed25519 public key
    actor_prefix BLOB    NOT NULL CHECK (LENGTH(actor_prefix) = 8),  -- every actor id of the device begins with it
    granted_by   BLOB             CHECK (LENGTH(granted_by) = 32),   -- who let it in; NULL for the founder
    added_at     INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- A document, from its first change on.
CREATE TABLE document (
    account BLOB    NOT NULL REFERENCES account (account),
    doc     BLOB    NOT NULL CHECK (LENGTH(doc) = 16),
    kind    INTEGER NOT NULL,                                 -- the number of wire::DocKind
    heads   BLOB    NOT NULL CHECK (LENGTH(heads) % 32 = 0),  -- hashes, ascending, one after the other
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

-- A document has one owner, whoever else may know its id.
CREATE UNIQUE INDEX document_owner ON document (doc);

-- The last number that an actor used in a document.
CREATE TABLE actor (
    account  BLOB    NOT NULL,
    doc      BLOB    NOT NULL,
    actor    BLOB    NOT NULL CHECK (LENGTH(actor) BETWEEN 8 AND 64),
    last_seq INTEGER NOT NULL CHECK (last_seq > 0),
    PRIMARY KEY (account, doc, actor),
    FOREIGN KEY (account, doc) REFERENCES document (account, doc)
) STRICT, WITHOUT ROWID;

-- The log: one entry for each change, numbered without gaps from 1 for each account. Rows are never updated.
CREATE TABLE change (
    account     BLOB    NOT NULL,
    seq         INTEGER NOT NULL CHECK (seq > 0),                -- the position in the account's log
    doc         BLOB    NOT NULL,
    hash        BLOB    NOT NULL CHECK (LENGTH(hash) = 32),
    deps        BLOB    NOT NULL CHECK (LENGTH(deps) % 32 = 0),  -- hashes, ascending, one after the other
    max_op      INTEGER NOT NULL CHECK (max_op >= 0),            -- the counter of its last operation
    received_at INTEGER NOT NULL,                                -- the relay's clock
    chunk       BLOB    NOT NULL,                                -- the change, as it came
    PRIMARY KEY (account, seq),
    UNIQUE (account, doc, hash),
    FOREIGN KEY (account, doc) REFERENCES document (account, doc)
) STRICT;

-- Read model: who an account says that it is.
CREATE TABLE profile (
    account      BLOB    NOT NULL PRIMARY KEY,
    revision     INTEGER NOT NULL,  -- the position of the log entry that it was last derived at
    handle       TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    bio          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Read model: a drive that others may see. A private or withdrawn one has no row.
CREATE TABLE published_drive (
    account    BLOB    NOT NULL,
    doc        BLOB    NOT NULL,
    revision   INTEGER NOT NULL,  -- the position of the log entry that it was last derived at
    bucket     INTEGER NOT NULL,  -- the id hashed to 0..16, so that no part of the feed's index is hot
    sort_at    INTEGER NOT NULL,  -- orders the feed: the start, but never later than the relay first heard of it
    visibility INTEGER NOT NULL,  -- 1 whoever knows the id, 2 everyone
    started_at INTEGER NOT NULL,  -- floored to the hour
    title      TEXT    NOT NULL,
    car        TEXT,
    stats      TEXT    NOT NULL,  -- JSON, as the API shows it
    bbox       TEXT,              -- JSON: [west, south, east, north] in degrees
    line       TEXT    NOT NULL,  -- JSON: simplified parts of [longitude, latitude], for thumbnails
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX published_drive_by_id ON published_drive (doc);
CREATE INDEX published_drive_feed ON published_drive (bucket, sort_at DESC, doc DESC) WHERE visibility = 2;

-- Read model: the packed blocks of a published track, apart so that a feed never reads them.
CREATE TABLE published_block (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    place   INTEGER NOT NULL,  -- 0, 1, 2…
    block   BLOB    NOT NULL,
    PRIMARY KEY (account, doc, place),
    FOREIGN KEY (account, doc) REFERENCES published_drive (account, doc) ON DELETE CASCADE
) STRICT;
