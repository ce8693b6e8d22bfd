-- The number of taken fixes that are remembered, so that it has a bound; indexes for what waits and for what was taken.
ALTER TABLE inbox ADD COLUMN remembered INTEGER NOT NULL DEFAULT 0;

UPDATE inbox
SET remembered = (SELECT COUNT(*) FROM inbox_fix WHERE inbox_fix.account = inbox.account AND inbox_fix.fix IS NULL);

CREATE INDEX inbox_fix_waiting ON inbox_fix (account, recorder, fixed_at) WHERE fix IS NOT NULL;
CREATE INDEX inbox_fix_taken ON inbox_fix (account, received_at) WHERE fix IS NULL;

-- The positions of which a device has begun to make a drive: those of a recorder up to a time that had arrived by another time. What
-- arrives later stays out of that drive.
CREATE TABLE inbox_claim (
    account     BLOB    NOT NULL,
    recorder    TEXT    NOT NULL,
    until       INTEGER NOT NULL, -- the time of the last one
    received_at INTEGER NOT NULL, -- when the newest one arrived
    PRIMARY KEY (account, recorder)
) STRICT, WITHOUT ROWID;
