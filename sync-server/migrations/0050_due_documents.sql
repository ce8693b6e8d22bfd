-- Documents whose rows are older than their log: deriving them takes too long for the transaction that stores a change. They are
-- derived beside the writer; until then only what narrows is in their rows. A restart finds here what is still to be done.
CREATE TABLE due_document (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    seq     INTEGER NOT NULL CHECK (seq > 0),  -- the position of the document's newest change in the account's log
    PRIMARY KEY (account, doc),
    FOREIGN KEY (account, doc) REFERENCES document (account, doc)
) STRICT, WITHOUT ROWID;

-- Whoever is blocked is looked for among the co-organisers of the account's meets.
CREATE INDEX meet_by_account_and_organiser ON meet_organiser (account, organiser, doc);
