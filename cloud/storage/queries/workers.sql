-- relaxed: a beat that a crash of the server loses is followed by another one
SET LOCAL synchronous_commit = off;

-- beat: this worker lives, for so many seconds more
INSERT INTO ingest_worker AS w (id, host_id, name, connection, beat_at, expires_at, figures)
VALUES (%(id)s, %(host_id)s, %(name)s, %(connection)s, clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(seconds)s), %(figures)s::jsonb)
ON CONFLICT (id) DO UPDATE
SET beat_at = excluded.beat_at, expires_at = excluded.expires_at, figures = excluded.figures;

-- members: the workers that live; of a killed one the server closes the connections at once
SELECT id, w.figures FROM ingest_worker w
WHERE host_id = %(host_id)s AND (id = %(id)s OR expires_at > clock_timestamp()
    AND EXISTS (SELECT FROM pg_stat_activity WHERE application_name = w.connection))
ORDER BY id;

-- groups: all that are known
SELECT code, gateways, worker FROM ingest_group WHERE host_id = %(host_id)s ORDER BY code;

-- alone: only one at a time takes groups
SELECT pg_try_advisory_xact_lock(hashtextextended('liandong/shares/' || %(host_id)s, 0)) AS alone;

-- take: these are ours from now on
UPDATE ingest_group SET worker = %(id)s, taken_at = clock_timestamp()
WHERE host_id = %(host_id)s AND code = ANY (%(codes)s::text[]);

-- give: these are free
UPDATE ingest_group SET worker = NULL
WHERE host_id = %(host_id)s AND worker = %(id)s AND code = ANY (%(codes)s::text[]);

-- leave: stopped in order
WITH gone AS (DELETE FROM ingest_worker WHERE id = %(id)s)
UPDATE ingest_group SET worker = NULL WHERE worker = %(id)s;

-- add: groups that were heard of
INSERT INTO ingest_group (host_id, code) SELECT %(host_id)s, unnest(%(codes)s::text[]) ON CONFLICT DO NOTHING;

-- count: groups of gateways that are known, and how many gateways each has
INSERT INTO ingest_group AS g (host_id, code, gateways)
SELECT %(host_id)s, group_code, count(*) FROM gateway GROUP BY group_code
ON CONFLICT (host_id, code) DO UPDATE SET gateways = excluded.gateways WHERE g.gateways <> excluded.gateways;

-- forget_groups: that were heard of and never brought a gateway
DELETE FROM ingest_group
WHERE host_id = %(host_id)s AND gateways = 0 AND added_at < clock_timestamp() - interval '1 hour';

-- forget_workers: that died a day ago
DELETE FROM ingest_worker WHERE expires_at < clock_timestamp() - interval '1 day';

-- standing: every worker that lives or died within the last minutes, and what it carries
SELECT w.id, w.name, w.started_at, w.figures, w.expires_at > clock_timestamp() AS alive,
       extract(epoch FROM clock_timestamp() - w.beat_at)::float8 AS silent_s,
       (SELECT count(*) FROM ingest_group g WHERE g.worker = w.id) AS groups,
       (SELECT array_agg(code ORDER BY code) FROM
           (SELECT code FROM ingest_group g WHERE g.worker = w.id ORDER BY code LIMIT 20) AS first) AS first_groups
FROM ingest_worker w
WHERE w.host_id = %(host_id)s AND w.expires_at > clock_timestamp() - interval '10 minutes'
ORDER BY w.name;

-- uncarried: groups that nobody alive listens to
SELECT count(*) AS count FROM ingest_group g
WHERE host_id = %(host_id)s
  AND NOT EXISTS (SELECT FROM ingest_worker w WHERE w.id = g.worker AND w.expires_at > clock_timestamp());

-- late: how long what arrived has waited, by whoever has told so
SELECT max((figures ->> 'late_s')::float8) AS seconds FROM ingest_worker
WHERE host_id = %(host_id)s AND expires_at > clock_timestamp();
