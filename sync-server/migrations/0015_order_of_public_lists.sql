-- The order of public drives, which nobody can choose, and for subscribers by when they became visible.

-- What ranks and tags are keyed with, so that nobody can compute them: 32 random bytes, which a backup has, too. NULL until the
-- relay is opened to be written.
ALTER TABLE relay ADD COLUMN secret BLOB;

-- The place among the drives of the same hour: by a keyed hash of the account, with what an account has more than a few of in
-- this hour behind all others.
ALTER TABLE published_drive ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
-- The hour in which it became visible as it is.
ALTER TABLE published_drive ADD COLUMN shown_at INTEGER NOT NULL DEFAULT 0;
-- The place among the drives that became visible in the same hour.
ALTER TABLE published_drive ADD COLUMN shown_place INTEGER NOT NULL DEFAULT 0;
-- The hour of the newest change, and as many seconds as there were changes after the first.
ALTER TABLE published_drive ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;

DROP INDEX published_drive_feed;
DROP INDEX published_drive_by_cell;
DROP INDEX published_drive_by_wide_cell;
CREATE INDEX published_drive_feed ON published_drive (bucket, sort_at DESC, place DESC, doc DESC) WHERE visibility = 2;
CREATE INDEX published_drive_by_cell
    ON published_drive (cell, sort_at DESC, place DESC, doc DESC, west, south, east, north) WHERE visibility = 2;
CREATE INDEX published_drive_by_wide_cell
    ON published_drive (wide_cell, sort_at DESC, place DESC, doc DESC, west, south, east, north) WHERE visibility = 2;
CREATE INDEX published_drive_by_hour ON published_drive (account, sort_at, doc) WHERE visibility = 2;

CREATE INDEX published_drive_shown
    ON published_drive (bucket, shown_at DESC, shown_place DESC, doc DESC) WHERE visibility = 2;
CREATE INDEX published_drive_shown_by_cell
    ON published_drive (cell, shown_at DESC, shown_place DESC, doc DESC, west, south, east, north) WHERE visibility = 2;
CREATE INDEX published_drive_shown_by_wide_cell
    ON published_drive (wide_cell, shown_at DESC, shown_place DESC, doc DESC, west, south, east, north) WHERE visibility = 2;
CREATE INDEX published_drive_shown_by_hour ON published_drive (account, shown_at, doc) WHERE visibility = 2;

-- Whom an account blocked once and does not block: they follow anew only when they are accepted, also where everybody else may
-- follow.
CREATE TABLE former_block (
    account BLOB NOT NULL,
    other   BLOB NOT NULL,
    PRIMARY KEY (account, other)
) STRICT, WITHOUT ROWID;

CREATE INDEX former_block_by_other ON former_block (other, account);

-- Handles that look alike: the letters for which those of the handle could be taken (Unicode Technical Standard 39); NULL if it
-- is none. Of those who claim one, the first has it.
ALTER TABLE profile ADD COLUMN skeleton TEXT;

DROP INDEX profile_by_claim;
CREATE INDEX profile_by_claim ON profile (skeleton, claimed_at, account) WHERE skeleton IS NOT NULL;
CREATE UNIQUE INDEX profile_by_skeleton ON profile (skeleton) WHERE holds = 1;
