-- hold: take it when it is free or over, keep it when it is ours
INSERT INTO lease AS l (name, holder, fence, expires_at)
VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO UPDATE
SET fence = CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN l.fence ELSE l.fence + 1 END,
    holder = excluded.holder,
    expires_at = excluded.expires_at
WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
RETURNING fence;

-- release: over as of now
UPDATE lease SET expires_at = clock_timestamp() WHERE name = %(name)s AND holder = %(holder)s;

-- holder: who took it last
SELECT holder FROM lease WHERE name = %(name)s;

-- runs: whether it is not over
SELECT holder FROM lease WHERE name = %(name)s AND expires_at > clock_timestamp();
