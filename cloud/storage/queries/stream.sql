-- publish: what pages will see, numbered; the head's lock is held until the commit, so numbers follow commits
WITH head AS (UPDATE stream_head SET id = id + cardinality(%(kinds)s::text[]) RETURNING id),
     told AS (
         INSERT INTO stream_event (id, kind, key, place_id, person_id, data)
         SELECT head.id - cardinality(%(kinds)s::text[]) + place, kind, key, place_id, person_id, data
         FROM head, unnest(%(kinds)s::text[], %(keys)s::text[], %(places)s::integer[], %(persons)s::uuid[], %(data)s::jsonb[])
             WITH ORDINALITY AS given (kind, key, place_id, person_id, data, place))
SELECT pg_notify('stream', id::text) FROM head;

-- after: what was committed since an id, oldest first
SELECT id, at, kind, key, place_id, person_id, data FROM stream_event WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;

-- bounds: the oldest event still kept and the newest
SELECT (SELECT id FROM stream_head) AS newest, coalesce((SELECT min(id) FROM stream_event), 0) AS oldest;

-- newest_lag: what was last told of a cloud that lags, or has caught up
SELECT data FROM stream_event WHERE kind = 'lag' ORDER BY id DESC LIMIT 1;

-- purge: forget what no page will resume from any more
DELETE FROM stream_event WHERE at < now() - interval '1 day';
