-- History: summaries of minutes, hours and days, kept by our own code on every edition (docs/reference/history.md).
-- NaN in a summary: no value known. Times with _ms count from 1970 UTC.

CREATE TABLE rollup_minute (
    series_id integer NOT NULL,
    bucket    timestamptz NOT NULL,                                  -- begin of the stretch
    count     integer NOT NULL,                                      -- values
    total     double precision NOT NULL,                             -- their sum
    low       double precision NOT NULL,
    high      double precision NOT NULL,
    first     double precision NOT NULL,
    last      double precision NOT NULL,
    begins    timestamptz NOT NULL,                                  -- first and last reading, value or not
    ends      timestamptz NOT NULL,
    carries   boolean NOT NULL,                                      -- the last reading is a value, which holds on
    area      double precision NOT NULL,                             -- value x ms between begins and ends, where known
    held      bigint NOT NULL,                                       -- ms of those where known
    increase  double precision NOT NULL,                             -- of a counter, between begins and ends
    PRIMARY KEY (series_id, bucket)
);
CREATE TABLE rollup_hour (LIKE rollup_minute INCLUDING ALL);
CREATE TABLE rollup_day (LIKE rollup_minute INCLUDING ALL);           -- days of rollup_zone

CREATE TABLE rollup_mark (                                           -- what a commit group stored and nobody has rolled up yet
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    stretches   bytea NOT NULL                                       -- series (int4), first and last time (int8, ms), big-endian
);

CREATE TABLE rollup_due (                                            -- hours and days to be made from minutes and hours
    level     smallint NOT NULL,                                     -- 1 hour, 2 day
    bucket    timestamptz NOT NULL,
    series_id integer NOT NULL,
    PRIMARY KEY (level, bucket, series_id)
);

CREATE TABLE rollup_zone (one boolean PRIMARY KEY DEFAULT true CHECK (one), name text NOT NULL);

CREATE TABLE forgotten (kind text PRIMARY KEY, until timestamptz NOT NULL);  -- readings of a kind that are gone although others of their day are kept

-- What was stored before is rolled up like what comes: marks of fifty series and a day each.
DO $$
BEGIN
    IF to_regclass('reading') IS NOT NULL THEN
        INSERT INTO rollup_mark (received_at, stretches)
        SELECT now(), string_agg(int4send(series_id) || int8send(first_ms) || int8send(last_ms), '')
        FROM (SELECT series_id, floor(extract(epoch FROM min(ts)) * 1000)::bigint AS first_ms,
                     floor(extract(epoch FROM max(ts)) * 1000)::bigint AS last_ms
              FROM reading WHERE ts >= '1970-01-01Z' GROUP BY series_id, floor(extract(epoch FROM ts) / 3600)) AS stretch
        GROUP BY series_id / 50, first_ms / 86400000;
    END IF;
END $$;
