-- directly: what the next COPY of this transaction brings is kept by column at once, where the server can
SELECT set_config('timescaledb.enable_direct_compress_copy', 'on', true)
WHERE current_setting('timescaledb.enable_direct_compress_copy', true) IS NOT NULL;

-- wanting: chunks that are not wholly by column, in good order, oldest first. The bits of TimescaleDB's status: 1 by column,
-- 2 unordered (small batches were put beside each other), 4 frozen, 8 partial (some rows are kept by row)
SELECT name::oid AS chunk, begins, lasts, status & 1 = 0 AS by_row, status & 2 <> 0 AS unordered, over, pg_relation_size(name) AS bytes_by_row
FROM (SELECT format('%%I.%%I', chunk_schema, chunk_name)::regclass AS name, range_start AS begins, range_end <= %(settled)s AS over,
             CASE WHEN range_end BETWEEN %(settled)s - interval '3 days' AND %(settled)s THEN range_end - range_start END AS lasts
      FROM timescaledb_information.chunks
      WHERE hypertable_name = 'reading' AND hypertable_schema = current_schema() AND range_start > %(after)s) AS chunk,
     LATERAL _timescaledb_functions.chunk_status(name) AS status
WHERE status <> 1 AND status & 4 = 0 ORDER BY begins;

-- sizes: of chunks, all that belongs to them
SELECT format('%I.%I', chunk_schema, chunk_name)::regclass::oid AS chunk, total_bytes AS bytes FROM chunks_detailed_size('reading');

-- quickly: ingest is never kept waiting by one who waits for a lock
SET LOCAL lock_timeout = '1s';

-- condense: to columns; what already is there and rows beside it become one
SELECT compress_chunk(%(chunk)s::oid::regclass);

-- condense_whole: everything anew in good order
SELECT compress_chunk(%(chunk)s::oid::regclass, recompress => true);

-- interval: how long a new chunk is
SELECT time_interval AS every FROM timescaledb_information.dimensions
WHERE hypertable_name = 'reading' AND hypertable_schema = current_schema() AND column_name = 'ts';

-- set_interval: of chunks to come
SELECT set_chunk_time_interval('reading', %(every)s::interval);

-- kept_waiting: how many have waited for this connection for so long
SELECT count(*) AS waits FROM pg_locks
WHERE NOT granted AND waitstart < clock_timestamp() - %(seconds)s * interval '1 s' AND %(pid)s = ANY (pg_blocking_pids(pid));
