-- A page of one document's changes is found without looking at the others, and without sorting them.
CREATE INDEX change_by_doc ON change (account, doc, seq);
