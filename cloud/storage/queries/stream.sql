-- advance_head: take the next numbers; the row lock is held until the commit, so numbers follow commits
UPDATE stream_head SET id = id + %(count)s RETURNING id;

-- insert_event: one event that pages will see
INSERT INTO stream_event (id, kind, key, place_id, person_id, data)
VALUES (%(id)s, %(kind)s, %(key)s, %(place_id)s, %(person_id)s, %(data)s);

-- after: what was committed since an id, oldest first
SELECT id, at, kind, key, place_id, person_id, data FROM stream_event WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;

-- bounds: the oldest event still kept and the newest
SELECT (SELECT id FROM stream_head) AS newest, coalesce((SELECT min(id) FROM stream_event), 0) AS oldest;

-- newest_lag: what was last told of a cloud that lags, or has caught up
SELECT data FROM stream_event WHERE kind = 'lag' ORDER BY id DESC LIMIT 1;

-- purge: forget what no page will resume from any more
DELETE FROM stream_event WHERE at < now() - interval '1 day';
