-- bounds: a question that asks for too much ends, and keeps nothing waiting
SET LOCAL statement_timeout = '5s';

-- readings: of a series, at most so many
SELECT string_agg(int4send(series_id) || timestamptz_send(ts) || float8send(coalesce(value, 'NaN')) || int2send(quality), '') AS packed
FROM (SELECT series_id, ts, value, quality FROM reading WHERE series_id = %(series)s AND ts >= %(begin)s AND ts < %(end)s
      ORDER BY ts LIMIT %(most)s) AS found;

-- before: the last reading and the last value before a time, for what held on then
SELECT string_agg(int4send(series_id) || timestamptz_send(ts) || float8send(coalesce(value, 'NaN')) || int2send(quality), '') AS packed
FROM ((SELECT series_id, ts, value, quality FROM reading
       WHERE series_id = %(series)s AND ts < %(begin)s AND ts >= %(back)s ORDER BY ts DESC, value DESC LIMIT 1)
      UNION
      (SELECT series_id, ts, value, quality FROM reading
       WHERE series_id = %(series)s AND ts < %(begin)s AND ts >= %(back)s AND value IS NOT NULL AND quality >= 64
       ORDER BY ts DESC, value DESC LIMIT 1)) AS found;

-- page: of a series, onwards from a time, without the first so many of that time
SELECT string_agg(int4send(series_id) || timestamptz_send(ts) || float8send(coalesce(value, 'NaN')) || int2send(quality), '') AS packed
FROM (SELECT series_id, ts, value, quality FROM reading WHERE series_id = %(series)s AND ts >= %(begin)s AND ts < %(end)s
      ORDER BY ts, value, quality OFFSET %(skip)s LIMIT %(most)s) AS found;

-- latest: the newest values of every device at these paths and below, of one metric or of all; as one text of JSON columns.
-- Who may see it is asked per device, not per series; arrays become JSON faster than rows do, and texts joined faster than an object built.
WITH seen AS MATERIALIZED (
    SELECT device.id FROM device LEFT JOIN place ON place.id = device.place_id
    WHERE place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND device.place_id IS NULL)
)
SELECT concat(
           '{"device_id":', coalesce(array_to_json(array_agg(device_id)), '[]'), ',"metric":', coalesce(array_to_json(array_agg(metric)), '[]'),
           ',"unit":', coalesce(array_to_json(array_agg(unit)), '[]'), ',"ms":', coalesce(array_to_json(array_agg(ms)), '[]'),
           ',"value":', coalesce(array_to_json(array_agg(value)), '[]'), ',"text":', coalesce(array_to_json(array_agg(text)), '[]'),
           ',"quality":', coalesce(array_to_json(array_agg(quality)), '[]'), '}') AS found
FROM (SELECT series.device_id, series.metric, series.unit, floor(date_part('epoch', latest.ts) * 1000)::bigint AS ms,
             latest.value, latest.text, latest.quality
      FROM seen JOIN series ON series.device_id = seen.id JOIN latest ON latest.series_id = series.id
      WHERE %(metric)s::text IS NULL OR series.metric = %(metric)s
      ORDER BY series.id LIMIT %(most)s) AS newest;

-- series_of: the series of these devices that hold numbers
SELECT series.id, series.device_id, device.code AS device, device.type, series.metric, series.unit, series.datatype, place.path
FROM series JOIN device ON device.id = series.device_id LEFT JOIN place ON place.id = device.place_id
WHERE series.device_id = ANY (%(devices)s::int[]) AND (%(metrics)s::text[] IS NULL OR series.metric = ANY (%(metrics)s))
  AND series.datatype <> 12
ORDER BY series.device_id, series.metric;

-- newest: of a series
SELECT ts, value FROM latest WHERE series_id = %(series)s;
