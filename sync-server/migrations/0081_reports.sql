-- What people reported to the operators. Not derived from the log.
CREATE TABLE report (
    number       INTEGER NOT NULL PRIMARY KEY,
    reported_at  INTEGER NOT NULL,                              -- milliseconds since 1970 UTC
    account      BLOB    NOT NULL CHECK (LENGTH(account) = 16), -- whose item it is; the columns are those of a decision
    target       INTEGER NOT NULL CHECK (target IN (0, 1, 2, 3)),
    item         BLOB    NOT NULL CHECK (LENGTH(item) = 16),
    link         BLOB    NOT NULL CHECK (LENGTH(link) = 16),
    is_anonymous INTEGER NOT NULL CHECK (is_anonymous IN (0, 1)),
    reporter     BLOB    NOT NULL CHECK (LENGTH(reporter) = 16), -- an account; of an anonymous report the name of an address
    source       BLOB    NOT NULL CHECK (LENGTH(source) = 16),  -- the name of the address, which only this relay can compute
    reason       INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    closed_at    INTEGER                                        -- when an operator decided or dismissed it; NULL while it is open
) STRICT;

CREATE UNIQUE INDEX report_once ON report (account, target, item, is_anonymous, reporter);
CREATE INDEX report_by_source ON report (source, reported_at);
CREATE INDEX report_by_reporter ON report (reporter, reported_at);
CREATE INDEX report_open ON report (is_anonymous, number) WHERE closed_at IS NULL;
