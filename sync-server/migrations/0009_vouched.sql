-- A device that another one of the account spoke for: what it made is taken, but it may not connect by that. A relay that was
-- restored from a backup does not know the devices that came since.
CREATE TABLE vouched (
    account      BLOB    NOT NULL REFERENCES account (account),
    actor_prefix BLOB    NOT NULL CHECK (LENGTH(actor_prefix) = 8),  -- every actor id of the device begins with it
    added_at     INTEGER NOT NULL,                                   -- milliseconds since 1970 UTC
    PRIMARY KEY (account, actor_prefix)
) STRICT, WITHOUT ROWID;
