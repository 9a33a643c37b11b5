-- copy: readings in binary
COPY reading (ts, series_id, value, quality) FROM STDIN (FORMAT BINARY);

-- append_texts: readings whose value is text
INSERT INTO text_reading (series_id, ts, value, quality)
SELECT series_id, to_timestamp(at_ms / 1000.0), value, quality
FROM unnest(%(series)s::integer[], %(at_ms)s::bigint[], %(value)s::text[], %(quality)s::smallint[])
    AS given (series_id, at_ms, value, quality);

-- touch_latest: what is newer by its own time replaces what was there; rows in the order of series, so that nobody deadlocks
INSERT INTO latest (series_id, ts, value, text, quality, received_at)
SELECT series_id, to_timestamp(at_ms / 1000.0), value, text, quality, to_timestamp(%(received_ms)s::bigint / 1000.0)
FROM unnest(%(series)s::integer[], %(at_ms)s::bigint[], %(value)s::double precision[], %(text)s::text[], %(quality)s::smallint[])
    AS given (series_id, at_ms, value, text, quality)
ORDER BY series_id
ON CONFLICT (series_id) DO UPDATE
SET ts = excluded.ts, value = excluded.value, text = excluded.text, quality = excluded.quality, received_at = excluded.received_at
WHERE excluded.ts >= latest.ts;
