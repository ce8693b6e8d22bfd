-- Roads of a large piece of the map are looked for in large squares, of which much lies beside it: where a road is stands in the
-- key, so that no engine looks anywhere else. Roads are derived: the next batch finds all of them anew.

DELETE FROM road_batch;
DELETE FROM road_segment;
DROP TABLE road_square;

-- The squares that a road's middle is in.
CREATE TABLE road_square (
    size   INTEGER NOT NULL,  -- from 0, of an eighth of a degree, to 5, the world (db::roads)
    square INTEGER NOT NULL,
    rank   INTEGER NOT NULL,  -- of the road,
    id     BLOB    NOT NULL,
    lon    REAL    NOT NULL,  -- with its middle, degrees
    lat    REAL    NOT NULL,
    PRIMARY KEY (size, square, rank, id, lon, lat)
) STRICT, WITHOUT ROWID;
