-- begin: a worker's own row; one that an older database still has is taken as it is
INSERT INTO ingest_run (id, connection) VALUES (%(id)s, %(connection)s) ON CONFLICT (id) DO NOTHING;

-- known: how far it is; it lives
UPDATE ingest_run SET died_at = NULL WHERE id = %(id)s RETURNING groups;

-- advance: one more commit
UPDATE ingest_run SET groups = groups + 1 WHERE id = %(id)s RETURNING groups;

-- end: stopped in order
DELETE FROM ingest_run WHERE id = %(id)s;

-- died: other workers that did not stop in order and have no connection any more
UPDATE ingest_run SET died_at = clock_timestamp()
WHERE id <> %(id)s AND died_at IS NULL
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = ingest_run.connection);

-- deaths: how many there were lately
SELECT count(*) AS deaths FROM ingest_run WHERE died_at > clock_timestamp() - %(within)s::interval AND id <> %(id)s;

-- quickly: that the worker may die in the next moment is meant; that the whole server does is not
SET LOCAL synchronous_commit = off;

-- tries: how often it was opened and its worker did not come back
SELECT tries FROM attempt WHERE message = %(message)s;

-- attempt: it is opened once more
INSERT INTO attempt AS a (message, tries) VALUES (%(message)s, 1)
ON CONFLICT (message) DO UPDATE SET tries = a.tries + 1, at = now();

-- survived: the worker is still there
UPDATE attempt SET tries = tries - 1 WHERE message = ANY (%(messages)s::text[]);

-- forget_attempts: of what nothing is known against, and of what nobody sent for a day
DELETE FROM attempt WHERE tries <= 0 OR at < now() - interval '1 day';

-- forget_runs: of workers that are gone
DELETE FROM ingest_run WHERE died_at < now() - interval '1 day';
