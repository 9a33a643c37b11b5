-- all_series: with what decides how long they are kept
SELECT series.id, series.metric, series.datatype, device.type FROM series JOIN device ON device.id = series.device_id;

-- done_until: before this, readings of a kind are gone
SELECT until FROM forgotten WHERE kind = %(kind)s;

-- done: another day
INSERT INTO forgotten (kind, until) VALUES (%(kind)s, %(until)s) ON CONFLICT (kind) DO UPDATE SET until = excluded.until;

-- forget_readings: of some series, of one day
DELETE FROM reading WHERE series_id = ANY (%(series)s::int[]) AND ts >= %(begin)s AND ts < %(end)s;

-- forget_summaries: of some series, at most so many
DELETE FROM {table} USING (
    SELECT wanted.series_id, old.bucket FROM unnest(%(series)s::int[]) AS wanted (series_id)
    CROSS JOIN LATERAL (SELECT bucket FROM {table} WHERE {table}.series_id = wanted.series_id AND bucket < %(cutoff)s) AS old
    LIMIT %(most)s
) AS over
WHERE {table}.series_id = over.series_id AND {table}.bucket = over.bucket;
