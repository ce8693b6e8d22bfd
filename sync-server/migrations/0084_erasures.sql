-- Erased documents. The log keeps one entry of them, their erasure, and the document keeps its id and its kind.

-- How many positions of the log have no entry any more, because their documents are erased.
ALTER TABLE account ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased >= 0);

-- 1 if the document is erased: its heads are its erasure.
ALTER TABLE document ADD COLUMN is_erased INTEGER NOT NULL DEFAULT 0;

-- Erased documents of which entries are left, because they had too many for one transaction. Nobody else reads these.
CREATE TABLE erasure_due (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    seq     INTEGER NOT NULL CHECK (seq > 0),  -- the position of the erasure: what is before it is left
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;
