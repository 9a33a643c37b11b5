-- form: what the table of readings is, if there is one
SELECT relkind = 'p' AS partitioned FROM pg_class WHERE oid = to_regclass('reading');

-- timescaledb: whether the library is loaded in this server, and the extension created in this database (then it is loaded somehow)
SELECT current_setting('shared_preload_libraries') LIKE '%%timescaledb%%'
           AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') AS loaded,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS created;

-- create_extension: turn TimescaleDB on in this database
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- licence: 'timescale' (community) or 'apache'
SELECT current_setting('timescaledb.license', true) AS licence;

-- create_plain: daily partitions, and one for clocks that are far off
CREATE TABLE reading (
    ts        timestamptz NOT NULL,
    series_id integer NOT NULL,
    value     double precision,
    quality   smallint NOT NULL DEFAULT 192
) PARTITION BY RANGE (ts);
CREATE INDEX reading_series_ts ON reading (series_id, ts DESC);
CREATE TABLE reading_default PARTITION OF reading DEFAULT;

-- create_hypertable: chunks of a day
CREATE TABLE reading (
    ts        timestamptz NOT NULL,
    series_id integer NOT NULL,
    value     double precision,
    quality   smallint NOT NULL DEFAULT 192
);
SELECT create_hypertable('reading', 'ts', chunk_time_interval => interval '1 day', create_default_indexes => false);
CREATE INDEX reading_series_ts ON reading (series_id, ts DESC);

-- compress_columns: chunks can be kept by column, a series' values together
ALTER TABLE reading SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'ts');

-- partitions: the partitions of a plain database
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('reading') ORDER BY c.relname;

-- create_partition: a day, not yet part of the whole
CREATE TABLE {partition} (LIKE reading INCLUDING DEFAULTS INCLUDING INDEXES);

-- move_strays: rows of that day out of the default partition
WITH stray AS (
    DELETE FROM reading_default WHERE ts >= {begin} AND ts < {end} RETURNING ts, series_id, value, quality
)
INSERT INTO {partition} (ts, series_id, value, quality) SELECT ts, series_id, value, quality FROM stray;

-- attach_partition: from now on its rows go there
ALTER TABLE reading ATTACH PARTITION {partition} FOR VALUES FROM ({begin}) TO ({end});

-- drop_chunks: chunks that are wholly older
SELECT drop_chunks('reading', older_than => %(cutoff)s::timestamptz);

-- trim_default: old rows that no daily partition held
DELETE FROM reading_default WHERE ts < %(cutoff)s;

-- size: bytes of a plain table of readings and all that belongs to it, indexes too
SELECT sum(pg_total_relation_size(inhrelid))::bigint AS bytes FROM pg_inherits WHERE inhparent = to_regclass('reading');

-- size_of_hypertable: the same where TimescaleDB keeps it
SELECT hypertable_size('reading') AS bytes;
