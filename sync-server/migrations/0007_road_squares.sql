-- Roads within any bounds, the best first, without looking at those around them: each road stands in one square of every
-- size. Roads are derived: the next batch finds all of them anew.

DELETE FROM road_batch;
DROP TABLE road_segment;

-- A piece of road in one direction, as the last batch found it.
CREATE TABLE road_segment (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(id) = 16),  -- its first two nodes
    rank       INTEGER NOT NULL,  -- 100 less its score: the best come first
    parts      TEXT    NOT NULL,  -- JSON, as the API shows it
    measured_m INTEGER NOT NULL,  -- what its score was computed on
    length_m   INTEGER NOT NULL,
    evidence   INTEGER NOT NULL,  -- how many drivers, coarsely: roads::Evidence
    line       TEXT    NOT NULL,  -- JSON: [longitude, latitude] in the order in which it is driven
    drives     BLOB    NOT NULL   -- ids of the newest drives over it, one after the other
) STRICT, WITHOUT ROWID;

-- The squares that a road's middle is in.
CREATE TABLE road_square (
    size   INTEGER NOT NULL,  -- from 0, of an eighth of a degree, to 5, the world (db::roads)
    square INTEGER NOT NULL,
    rank   INTEGER NOT NULL,  -- of the road,
    id     BLOB    NOT NULL,
    lon    REAL    NOT NULL,  -- with its middle, degrees
    lat    REAL    NOT NULL,
    PRIMARY KEY (size, square, rank, id)
) STRICT, WITHOUT ROWID;
