-- Comments that the owner of a drive removed from it, derived from the owner's documents.
CREATE TABLE hidden_comment (
    account BLOB NOT NULL,  -- whose statement it is: it counts for drives of this account only
    doc     BLOB NOT NULL,  -- the document that has it
    drive   BLOB NOT NULL,
    author  BLOB NOT NULL,
    comment BLOB NOT NULL,
    PRIMARY KEY (account, drive, author, comment)
) STRICT, WITHOUT ROWID;

CREATE INDEX hidden_comment_by_doc ON hidden_comment (account, doc);
