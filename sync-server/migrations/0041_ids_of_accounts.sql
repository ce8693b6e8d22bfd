-- Ids belong to accounts: two accounts that use the same id have two documents. What is found by its id alone, a published drive
-- or a meet, has an id that is bound to its account, which can be verified.
DROP INDEX document_owner;

-- Ids by which things were found before ids were bound, and whose they were. No account is ever added: whoever comes later with
-- such an id may have read it on somebody's page.
CREATE TABLE unbound_id (
    doc     BLOB NOT NULL PRIMARY KEY CHECK (LENGTH(doc) = 16),
    account BLOB NOT NULL CHECK (LENGTH(account) = 16)
) STRICT, WITHOUT ROWID;

INSERT INTO unbound_id (doc, account) SELECT doc, account FROM document WHERE kind IN (5, 7);

-- Read model: a published drive or a meet that nobody is shown, because its id is not bound to its account. Its owner is told.
CREATE TABLE not_shown (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    kind    INTEGER NOT NULL,  -- the number of wire::DocKind
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

-- When the actor's own device last appended with it in this life of the log; NULL if it has not. While that is not long ago,
-- nobody else may continue its numbers.
ALTER TABLE actor ADD COLUMN own_at INTEGER;
