-- The time until which the log may have entries, by the relay's clock: a start compares the machine's clock with it, without
-- looking through the log. It is written once a second at most, a second ahead.
ALTER TABLE relay ADD COLUMN received_until INTEGER NOT NULL DEFAULT 0;  -- milliseconds since 1970 UTC

UPDATE relay SET received_until = (
    SELECT COALESCE(MAX(received_at), 0)
    FROM (SELECT received_at FROM change UNION ALL SELECT received_at FROM covered_change) AS entry
);
