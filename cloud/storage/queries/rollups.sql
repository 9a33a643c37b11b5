-- mark: what a commit group stored
INSERT INTO rollup_mark (stretches) VALUES (%(stretches)s);

-- hold: one roller at a time; another service's goes on
SELECT pg_try_advisory_xact_lock(hashtext('liandong rollups')) AS held;

-- take_marks: the oldest that nobody has
DELETE FROM rollup_mark WHERE id IN (SELECT id FROM rollup_mark ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING stretches;

-- put_back: what was too much for one transaction keeps its place in time
INSERT INTO rollup_mark (received_at, stretches)
VALUES (coalesce((SELECT min(received_at) FROM rollup_mark), now()), %(stretches)s);

-- kinds: what decides how long a series' values hold and are kept
SELECT series.id, series.metric, series.datatype, device.type, device.code
FROM series JOIN device ON device.id = series.device_id WHERE series.id = ANY (%(ids)s::int[]);

-- readings: of one day, some stretches of some series
SELECT string_agg(int4send(found.series_id) || timestamptz_send(found.ts) || float8send(coalesce(found.value, 'NaN'))
                  || int2send(found.quality), '') AS packed
FROM unnest(%(series)s::int[], %(begins)s::bigint[], %(ends)s::bigint[]) AS wanted (series_id, begins, ends)
CROSS JOIN LATERAL (
    SELECT reading.series_id, reading.ts, reading.value, reading.quality FROM reading
    WHERE reading.series_id = wanted.series_id AND reading.ts >= to_timestamp(wanted.begins / 1000.0)
      AND reading.ts < to_timestamp(wanted.ends / 1000.0) AND reading.ts >= %(day)s AND reading.ts < %(day_after)s
) AS found;

-- summaries: of some series
SELECT string_agg(int4send(series_id) || timestamptz_send(bucket) || int4send(count) || float8send(total) || float8send(low)
                  || float8send(high) || float8send(first) || float8send(last) || timestamptz_send(begins) || timestamptz_send(ends)
                  || boolsend(carries) || float8send(area) || int8send(held) || float8send(increase), '') AS packed
FROM {table} WHERE series_id = ANY (%(series)s::int[]) AND bucket >= %(begin)s AND bucket < %(end)s;

-- clear_minutes: before they are written anew
DELETE FROM rollup_minute USING unnest(%(series)s::int[], %(begins)s::bigint[], %(ends)s::bigint[]) AS stale (series_id, begins, ends)
WHERE rollup_minute.series_id = stale.series_id AND bucket >= to_timestamp(stale.begins / 1000.0)
  AND bucket < to_timestamp(stale.ends / 1000.0);

-- clear: one bucket of some series, before it is written anew
DELETE FROM {table} WHERE series_id = ANY (%(series)s::int[]) AND bucket = %(begin)s;

-- copy: in binary
COPY {table} (series_id, bucket, count, total, low, high, first, last, begins, ends, carries, area, held, increase)
FROM STDIN (FORMAT BINARY);

-- due: to be made from what is finer
INSERT INTO rollup_due (level, bucket, series_id)
SELECT %(level)s, to_timestamp(bucket / 1000.0), series_id FROM unnest(%(series)s::int[], %(buckets)s::bigint[]) AS wanted (series_id, bucket)
ON CONFLICT DO NOTHING;

-- take_due: what is over, oldest first
DELETE FROM rollup_due USING (
    SELECT level, bucket, series_id FROM rollup_due WHERE level = %(level)s AND bucket <= %(upto)s
    ORDER BY bucket, series_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
) AS over
WHERE rollup_due.level = over.level AND rollup_due.bucket = over.bucket AND rollup_due.series_id = over.series_id
RETURNING (extract(epoch FROM rollup_due.bucket) * 1000)::bigint AS bucket, rollup_due.series_id;

-- due_of: what of a series is not made yet although it is over
SELECT (extract(epoch FROM bucket) * 1000)::bigint AS bucket FROM rollup_due
WHERE level = %(level)s AND bucket >= %(begin)s AND bucket < %(end)s AND series_id = %(series)s ORDER BY bucket;

-- waiting_since: since when something has been stored that no minute tells yet; null: nothing waits
SELECT min(received_at) AS since FROM rollup_mark;

-- zone: in which days were made
SELECT name FROM rollup_zone;

-- set_zone: days are made anew in another zone
WITH gone AS (DELETE FROM rollup_day),
     stale AS (DELETE FROM rollup_due WHERE level = 2),
     named AS (INSERT INTO rollup_zone (name) VALUES (%(zone)s) ON CONFLICT (one) DO UPDATE SET name = excluded.name)
SELECT 1;

-- all_days_due: of every hour that there is, the days of its begin and its end
INSERT INTO rollup_due (level, bucket, series_id)
SELECT DISTINCT 2, date_trunc('day', moment, %(zone)s), series_id
FROM rollup_hour, LATERAL (VALUES (bucket), (bucket + interval '59 minutes')) AS at (moment)
ON CONFLICT DO NOTHING;
