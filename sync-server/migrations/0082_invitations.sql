-- Invitations of operators, for relays on which not everybody may make an account. Not derived from the log.
CREATE TABLE invitation (
    number     INTEGER NOT NULL PRIMARY KEY,
    hash       BLOB    NOT NULL CHECK (LENGTH(hash) = 32), -- of the code, which nobody but the invited person keeps
    created_at INTEGER NOT NULL,                           -- milliseconds since 1970 UTC
    expires_at INTEGER NOT NULL,
    uses       INTEGER NOT NULL CHECK (uses > 0),          -- how many accounts it lets in
    revoked_at INTEGER,
    note       TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX invitation_by_hash ON invitation (hash);

-- Accounts that may be made although registration is not open.
CREATE TABLE invited (
    account    BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(account) = 16),
    invitation INTEGER,                                    -- NULL if it was there before a restore
    invited_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invited_by_invitation ON invited (invitation);
