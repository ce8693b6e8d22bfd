-- Where a meet is, so that meets near a place are found without reading those of the rest of the world.
ALTER TABLE meet ADD COLUMN cell INTEGER;       -- the square of one degree that it is in; NULL if it is nowhere in particular
ALTER TABLE meet ADD COLUMN wide_cell INTEGER;  -- the square of fifteen degrees

CREATE INDEX meet_by_cell ON meet (cell, starts_at, doc, lat, lon) WHERE visibility = 2;
CREATE INDEX meet_by_wide_cell ON meet (wide_cell, starts_at, doc, lat, lon) WHERE visibility = 2;
