-- Who sees the exact place of a meet. The columns place, lon and lat have what everybody sees who sees the meet: unless that is
-- the exact place, no name and the middle of an area. So a read that does not ask for more shows no more.
ALTER TABLE meet ADD COLUMN exact_place INTEGER NOT NULL DEFAULT 0; -- 0 everyone, 1 on the day, 2 attendees, 3 organisers
ALTER TABLE meet ADD COLUMN hidden_place TEXT NOT NULL DEFAULT '';  -- the name of the exact place; empty if everyone sees it
ALTER TABLE meet ADD COLUMN hidden_lon REAL;                        -- degrees; NULL if everyone sees it
ALTER TABLE meet ADD COLUMN hidden_lat REAL;

-- When it was changed, as others see it: to the hour, and later for each change that they see. changed_at is for its organisers.
ALTER TABLE meet ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
