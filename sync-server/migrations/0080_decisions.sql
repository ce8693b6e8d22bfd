-- What operators decided about an account, or about a drive, a meet or a comment of it. Rows are only added: of several decisions
-- about one item the newest counts. Nothing here derives from the log.
CREATE TABLE decision (
    number     INTEGER NOT NULL PRIMARY KEY,
    decided_at INTEGER NOT NULL,                              -- milliseconds since 1970 UTC
    account    BLOB    NOT NULL CHECK (LENGTH(account) = 16), -- whose item it is
    target     INTEGER NOT NULL CHECK (target IN (0, 1, 2, 3)), -- 0 account, 1 drive, 2 meet, 3 comment
    item       BLOB    NOT NULL CHECK (LENGTH(item) = 16),    -- account; drive, or its copy; document of the meet; comment
    link       BLOB    NOT NULL CHECK (LENGTH(link) = 16),    -- the id by which others found it; of a comment: the drive
    is_hidden  INTEGER NOT NULL CHECK (is_hidden IN (0, 1)),
    reason     TEXT    NOT NULL
) STRICT;

CREATE INDEX decision_by_account ON decision (account, number);
CREATE INDEX decision_by_link ON decision (link, number);

-- The handle of a suspended account: nobody finds it, and nobody else gets it.
ALTER TABLE profile ADD COLUMN withheld_handle TEXT;
