-- People, cars, meets: what accounts say in their own documents, as rows that can be looked up from every side.
--
-- All of it is derived from the log, and so is what stood here before: a server that finds rows of another version derives
-- all rows again when it starts.

-- Which version of the projection made the rows.
ALTER TABLE relay ADD COLUMN projected INTEGER NOT NULL DEFAULT 0;

-- When the relay received a change that a snapshot covers: who claimed a handle first must stay known. 0 for those that were
-- covered before this was kept.
ALTER TABLE covered_change ADD COLUMN received_at INTEGER NOT NULL DEFAULT 0;

DROP TABLE published_block;
DROP TABLE published_drive;
DROP TABLE profile;

-- Who an account says that it is.
CREATE TABLE profile (
    account      BLOB    NOT NULL PRIMARY KEY,
    doc          BLOB    NOT NULL,
    revision     INTEGER NOT NULL,  -- the position of the log entry that it was last derived at
    handle       TEXT    NOT NULL,  -- as its owner writes it; may be empty
    display_name TEXT    NOT NULL,
    bio          TEXT    NOT NULL,
    by_approval  INTEGER NOT NULL,  -- 1 if followers must be accepted
    folded       TEXT,              -- the handle as it is compared; NULL if it is none
    claimed_at   INTEGER NOT NULL,  -- when the relay heard of the claim to the handle
    holds        INTEGER NOT NULL   -- 1 if the handle is this account's: of those that claim it the first
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX profile_by_handle ON profile (folded) WHERE holds = 1;
CREATE INDEX profile_by_claim ON profile (folded, claimed_at, account) WHERE folded IS NOT NULL;
CREATE INDEX profile_by_approval ON profile (account) WHERE by_approval = 1;

-- A drive that others may see. A private or withdrawn one has no row.
CREATE TABLE published_drive (
    account     BLOB    NOT NULL,
    doc         BLOB    NOT NULL,
    revision    INTEGER NOT NULL,  -- the position of the log entry that it was last derived at
    bucket      INTEGER NOT NULL,  -- the id hashed to 0..16, so that no part of the feed's index is hot
    sort_at     INTEGER NOT NULL,  -- orders feeds: the start, but never later than the relay first heard of it
    visibility  INTEGER NOT NULL,  -- 1 whoever knows the id, 2 everyone, 3 followers
    started_at  INTEGER NOT NULL,  -- floored to the hour
    month       INTEGER NOT NULL,  -- of the start, UTC: 202609
    title       TEXT    NOT NULL,
    car         TEXT,
    stats       TEXT    NOT NULL,  -- JSON, as the API shows it; what is summed has columns of its own
    distance_m  REAL    NOT NULL,
    moving_ms   INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    ascent_m    REAL    NOT NULL,
    west        REAL    NOT NULL,  -- degrees, greater than east over the date line
    south       REAL    NOT NULL,
    east        REAL    NOT NULL,
    north       REAL    NOT NULL,
    cell        INTEGER NOT NULL,  -- the square of one degree that the middle of the bounds is in
    wide_cell   INTEGER NOT NULL,  -- the square of fifteen degrees
    line        TEXT    NOT NULL,  -- JSON: simplified parts of [longitude, latitude], for thumbnails
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX published_drive_by_id ON published_drive (doc);
CREATE INDEX published_drive_feed ON published_drive (bucket, sort_at DESC, doc DESC) WHERE visibility = 2;
CREATE INDEX published_drive_by_person ON published_drive (account, sort_at DESC, doc DESC) WHERE visibility >= 2;
CREATE INDEX published_drive_by_cell
    ON published_drive (cell, sort_at DESC, doc DESC, west, south, east, north) WHERE visibility = 2;
CREATE INDEX published_drive_by_wide_cell
    ON published_drive (wide_cell, sort_at DESC, doc DESC, west, south, east, north) WHERE visibility = 2;

-- The packed blocks of a published track, apart so that a feed never reads them.
CREATE TABLE published_block (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,
    place   INTEGER NOT NULL,  -- 0, 1, 2…
    block   BLOB    NOT NULL,
    PRIMARY KEY (account, doc, place),
    FOREIGN KEY (account, doc) REFERENCES published_drive (account, doc) ON DELETE CASCADE
) STRICT;

-- What followers find in their home feeds: drives and meets for followers and for everyone. Every column is part of the key,
-- so that looking through it touches nothing else.
CREATE TABLE feed_item (
    account    BLOB    NOT NULL,
    sort_at    INTEGER NOT NULL,
    doc        BLOB    NOT NULL,
    visibility INTEGER NOT NULL,  -- 2 everyone, 3 followers
    kind       INTEGER NOT NULL,  -- the number of wire::DocKind
    PRIMARY KEY (account, sort_at, doc, visibility, kind)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX feed_item_by_id ON feed_item (account, doc);

-- A drive as its owner sees it, without its track.
CREATE TABLE drive (
    account     BLOB    NOT NULL,
    doc         BLOB    NOT NULL,
    title       TEXT    NOT NULL,
    car         BLOB,              -- the document of the car
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,           -- NULL while it is not finished
    month       INTEGER NOT NULL,  -- of the start, UTC: 202609
    stats       TEXT,              -- JSON; NULL while it is not finished
    distance_m  REAL    NOT NULL,  -- 0 while it is not finished, as the next three
    moving_ms   INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    ascent_m    REAL    NOT NULL,
    visibility  INTEGER NOT NULL,
    published   BLOB,              -- the document of its published copy
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

CREATE INDEX drive_newest ON drive (account, started_at DESC, doc DESC);
CREATE INDEX drive_by_car ON drive (account, car, started_at DESC, doc DESC) WHERE car IS NOT NULL;
CREATE INDEX drive_by_month ON drive (account, month);

-- A car.
CREATE TABLE car (
    account   BLOB    NOT NULL,
    doc       BLOB    NOT NULL,
    make      TEXT    NOT NULL,
    model     TEXT    NOT NULL,
    year      INTEGER,
    nickname  TEXT    NOT NULL,
    colour    TEXT    NOT NULL,
    is_public INTEGER NOT NULL,  -- 1 if everyone may know of it
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

-- An entry of a car's logbook.
CREATE TABLE car_log (
    account    BLOB    NOT NULL,
    doc        BLOB    NOT NULL,  -- the car
    entry      BLOB    NOT NULL,
    kind       INTEGER NOT NULL,  -- 0 a reading of the odometer, 1 fuel, 2 service
    at         INTEGER NOT NULL,
    odometer_m REAL,
    litres     REAL,
    cost_minor INTEGER,           -- in the smallest unit of the currency
    currency   TEXT,
    note       TEXT    NOT NULL,
    PRIMARY KEY (account, doc, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX car_log_newest ON car_log (account, doc, at DESC, entry DESC);

-- Whom an account follows.
CREATE TABLE follow (
    account  BLOB    NOT NULL,
    followee BLOB    NOT NULL,
    since    INTEGER NOT NULL,  -- on the follower's word
    PRIMARY KEY (account, followee)
) STRICT, WITHOUT ROWID;

CREATE INDEX follow_newest ON follow (account, since DESC, followee DESC);
CREATE INDEX follow_by_followee ON follow (followee, since DESC, account DESC);

-- Whom an account lets follow.
CREATE TABLE accept (
    account  BLOB NOT NULL,
    accepted BLOB NOT NULL,
    PRIMARY KEY (account, accepted)
) STRICT, WITHOUT ROWID;

CREATE INDEX accept_by_accepted ON accept (accepted, account);

-- With whom an account has nothing to do.
CREATE TABLE block (
    account BLOB NOT NULL,
    blocked BLOB NOT NULL,
    PRIMARY KEY (account, blocked)
) STRICT, WITHOUT ROWID;

CREATE INDEX block_by_blocked ON block (blocked, account);

-- What an account feels about a published drive.
CREATE TABLE reaction (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,  -- the document that says so
    drive   BLOB    NOT NULL,
    kind    INTEGER NOT NULL,  -- 0 like, 1 wow, 2 road, 3 car
    PRIMARY KEY (account, doc, drive)
) STRICT, WITHOUT ROWID;

CREATE INDEX reaction_by_drive ON reaction (drive, kind, account);

-- A comment on a published drive.
CREATE TABLE comment (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,  -- the document that says so
    comment BLOB    NOT NULL,
    drive   BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (account, doc, comment)
) STRICT, WITHOUT ROWID;

CREATE INDEX comment_by_drive ON comment (drive, at DESC, comment DESC);

-- An answer to a meet.
CREATE TABLE rsvp (
    account BLOB    NOT NULL,
    doc     BLOB    NOT NULL,  -- the document that says so
    meet    BLOB    NOT NULL,
    answer  INTEGER NOT NULL,  -- 0 going, 1 maybe, 2 no
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, doc, meet)
) STRICT, WITHOUT ROWID;

CREATE INDEX rsvp_by_meet ON rsvp (meet, answer, account);

-- What one document says of a meet: its own, or one that amends it.
CREATE TABLE meet_part (
    account BLOB NOT NULL,
    doc     BLOB NOT NULL,
    part    BLOB NOT NULL,  -- CBOR of docs::meet::MeetRow
    received_at INTEGER NOT NULL,  -- when the relay first heard of it
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

-- What counts of a meet, made of its parts.
CREATE TABLE meet (
    account      BLOB    NOT NULL,
    doc          BLOB    NOT NULL,
    sequence     INTEGER NOT NULL,  -- grows with every change
    changed_at   INTEGER NOT NULL,
    sort_at      INTEGER NOT NULL,  -- orders feeds: when the relay first heard of it
    title        TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    place        TEXT    NOT NULL,
    lon          REAL,              -- degrees
    lat          REAL,
    starts_at    INTEGER NOT NULL,
    ends_at      INTEGER,
    time_zone    TEXT    NOT NULL,  -- its IANA name; may be empty
    capacity     INTEGER,
    visibility   INTEGER NOT NULL,  -- 0 nobody else, 1 whoever knows the id, 2 everyone, 3 followers
    is_cancelled INTEGER NOT NULL,
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX meet_by_id ON meet (doc);
CREATE INDEX meet_by_start ON meet (starts_at, doc, lat, lon) WHERE visibility = 2;
CREATE INDEX meet_by_person ON meet (account, starts_at DESC, doc DESC);

-- Who besides its owner may change a meet.
CREATE TABLE meet_organiser (
    account   BLOB NOT NULL,
    doc       BLOB NOT NULL,
    organiser BLOB NOT NULL,
    PRIMARY KEY (account, doc, organiser)
) STRICT, WITHOUT ROWID;

CREATE INDEX meet_by_organiser ON meet_organiser (organiser, doc);

-- For questions that nobody foresaw: views to be read with any client of the database.

-- What was driven: one row for each account, month (202609, UTC) and car (NULL if none).
CREATE VIEW v_drives_per_month AS
SELECT
    account, month, car, COUNT(*) AS drives, SUM(distance_m) AS distance_m, CAST(SUM(moving_ms) AS INTEGER) AS moving_ms,
    SUM(ascent_m) AS ascent_m
FROM drive GROUP BY account, month, car;

-- People: one row for each account with a profile. The handle is NULL if another account holds it.
CREATE VIEW v_people AS
SELECT
    profile.account, CASE WHEN profile.holds = 1 THEN profile.handle END AS handle, profile.display_name,
    (SELECT COUNT(*) FROM follow WHERE follow.followee = profile.account) AS followers,
    (SELECT COUNT(*) FROM follow WHERE follow.account = profile.account) AS following,
    (SELECT COUNT(*) FROM drive WHERE drive.account = profile.account) AS drives,
    (SELECT COUNT(*) FROM published_drive WHERE published_drive.account = profile.account) AS published_drives
FROM profile;

-- Meets, with how many said what.
CREATE VIEW v_meets AS
SELECT
    meet.account, meet.doc, meet.title, meet.place, meet.lon, meet.lat, meet.starts_at, meet.ends_at, meet.visibility,
    meet.is_cancelled, meet.capacity,
    (SELECT COUNT(*) FROM rsvp WHERE rsvp.meet = meet.doc AND rsvp.answer = 0) AS going,
    (SELECT COUNT(*) FROM rsvp WHERE rsvp.meet = meet.doc AND rsvp.answer = 1) AS maybe,
    (SELECT COUNT(*) FROM rsvp WHERE rsvp.meet = meet.doc AND rsvp.answer = 2) AS no
FROM meet;
