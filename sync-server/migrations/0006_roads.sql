-- Roads, found in the drives that everybody may see.

-- The measured way of a public drive, derived with its row: the cells that it passed and what there is to count in each
-- (roads::Trace).
CREATE TABLE road_trace (
    account    BLOB    NOT NULL,
    doc        BLOB    NOT NULL,
    started_at INTEGER NOT NULL,  -- floored to the hour
    trace      BLOB    NOT NULL,
    PRIMARY KEY (account, doc)
) STRICT, WITHOUT ROWID;

-- A piece of road in one direction, as the last batch found it.
CREATE TABLE road_segment (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(id) = 16),  -- its first two nodes
    rank       INTEGER NOT NULL,  -- 100 less its score: the best come first
    parts      TEXT    NOT NULL,  -- JSON, as the API shows it
    measured_m INTEGER NOT NULL,  -- what its score was computed on
    length_m   INTEGER NOT NULL,
    evidence   INTEGER NOT NULL,  -- how many drivers, coarsely: roads::Evidence
    lon        REAL    NOT NULL,  -- its middle, degrees
    lat        REAL    NOT NULL,
    fine       INTEGER NOT NULL,  -- the square of an eighth of a degree that its middle is in,
    narrow     INTEGER NOT NULL,  -- of one degree,
    wide       INTEGER NOT NULL,  -- of fifteen degrees
    line       TEXT    NOT NULL,  -- JSON: [longitude, latitude] in the order in which it is driven
    drives     BLOB    NOT NULL   -- ids of the newest drives over it, one after the other
) STRICT, WITHOUT ROWID;

CREATE INDEX road_segment_fine ON road_segment (fine, rank, id);
CREATE INDEX road_segment_narrow ON road_segment (narrow, rank, id);
CREATE INDEX road_segment_wide ON road_segment (wide, rank, id);

-- What the last batch was made of. One row, or none before the first.
CREATE TABLE road_batch (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    day     INTEGER NOT NULL,  -- drives of the 365 days before this one counted; milliseconds since 1970
    fewest  INTEGER NOT NULL,  -- how many drivers a road took
    traces  BLOB    NOT NULL   -- a digest of all traces that counted
) STRICT;
