-- By which id others find the meet that this document says: its own, or that of the newest link. NULL for an amendment.
ALTER TABLE meet_part ADD COLUMN found_by BLOB;

CREATE INDEX meet_part_by_link ON meet_part (account, found_by, doc) WHERE found_by IS NOT NULL;
