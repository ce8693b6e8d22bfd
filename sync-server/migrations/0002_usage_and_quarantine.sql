-- What an account has in its log, so that its share is known without counting.
ALTER TABLE account ADD COLUMN changes   INTEGER NOT NULL DEFAULT 0 CHECK (changes >= 0);
ALTER TABLE account ADD COLUMN documents INTEGER NOT NULL DEFAULT 0 CHECK (documents >= 0);
ALTER TABLE account ADD COLUMN bytes     INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0);  -- of chunks

UPDATE account SET
    changes   = (SELECT COUNT(*) FROM change WHERE change.account = account.account),
    documents = (SELECT COUNT(*) FROM document WHERE document.account = account.account),
    bytes     = (SELECT COALESCE(SUM(LENGTH(chunk)), 0) FROM change WHERE change.account = account.account);

-- Why no row can be derived from a document: 'unreadable' or 'too_large'; NULL for a sound one. Its changes are kept and
-- synced all the same.
ALTER TABLE document ADD COLUMN quarantined TEXT;
