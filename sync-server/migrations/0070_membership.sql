-- A membership statement of an account, as a member signed it.
CREATE TABLE membership (
    account     BLOB    NOT NULL REFERENCES account (account),
    id          BLOB    NOT NULL CHECK (LENGTH(id) = 32),       -- its name: a hash of what was signed, and by whom
    statement   BLOB    NOT NULL,                               -- CBOR
    lookup      BLOB    CHECK (LENGTH(lookup) = 32),            -- of an enrolment: the hash of the public recovery key
    received_at INTEGER NOT NULL,                               -- milliseconds since 1970 UTC
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_by_lookup ON membership (lookup, account) WHERE lookup IS NOT NULL;

-- Since when the device may not speak for the account any more; NULL while it may.
ALTER TABLE device ADD COLUMN removed_at INTEGER;

-- When the device connected last, to the hour; NULL if that was before this was written down.
ALTER TABLE device ADD COLUMN seen_at INTEGER;

-- The digest of the account's membership statements, 16 bytes; NULL for none.
ALTER TABLE account ADD COLUMN membership BLOB;
