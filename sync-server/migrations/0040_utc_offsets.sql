-- What the clocks showed where a drive began, as minutes ahead of UTC; NULL if nobody knew. The column `month` of both tables
-- is that of these clocks. Both are derived again from the documents when a server with this step starts.
ALTER TABLE drive ADD COLUMN utc_offset_min INTEGER;
ALTER TABLE published_drive ADD COLUMN utc_offset_min INTEGER;
