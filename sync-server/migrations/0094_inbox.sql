-- The inbox of an account: positions that background recorders post to a secret address. Not derived from the log.
CREATE TABLE inbox (
    account    BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(account) = 16),
    secret     BLOB    CHECK (LENGTH(secret) = 16), -- the secret part of the address; NULL while there is none
    created_at INTEGER NOT NULL,                    -- of the address, milliseconds since 1970 UTC
    posted_at  INTEGER,                             -- when something was posted last
    waiting    INTEGER NOT NULL,                    -- fixes that no device has taken
    refused    INTEGER NOT NULL                     -- positions that could not be read, since the address exists
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX inbox_by_secret ON inbox (secret);

CREATE TABLE inbox_fix (
    account     BLOB    NOT NULL,
    recorder    TEXT    NOT NULL, -- the name by which the recorder calls its phone; may be empty
    fixed_at    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    fix         BLOB,             -- packed; NULL since a device took it: the row remains for a while, so that a repeated post adds nothing
    PRIMARY KEY (account, recorder, fixed_at)
) STRICT, WITHOUT ROWID;
