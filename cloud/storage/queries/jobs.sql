-- begin: one service at a time, and not before its time; what failed is tried again after five minutes
SELECT pg_try_advisory_xact_lock(hashtext('liandong job ' || %(job)s)) AS locked,
       NOT EXISTS (
           SELECT FROM job_run
           WHERE job = %(job)s AND started_at > now() - CASE WHEN error IS NULL THEN %(every)s::interval ELSE interval '5 minutes' END
       ) AS due;

-- ended: the last run
INSERT INTO job_run (job, started_at, ended_at, error) VALUES (%(job)s, %(started_at)s, clock_timestamp(), %(error)s)
ON CONFLICT (job) DO UPDATE
SET started_at = excluded.started_at, ended_at = excluded.ended_at, error = excluded.error;

-- forget_texts: as old as the readings that are forgotten
DELETE FROM text_reading WHERE ts < %(cutoff)s;

-- forget_events: as old as the readings that are forgotten
DELETE FROM event WHERE ts < %(cutoff)s;

-- forget_commands: as old as the events that told what became of them
DELETE FROM command WHERE created_at < %(cutoff)s;

-- forget_positions: nobody is where they were an hour ago
UPDATE responder SET lat = NULL, lon = NULL, located_at = NULL WHERE located_at < now() - interval '1 hour';

-- forget_notifications: what reached somebody, or never will, is told of for a quarter
DELETE FROM notification WHERE queued_at < now() - interval '90 days' AND state <> 'queued';

-- purge_sessions: over
DELETE FROM session WHERE expires_at < now();

-- purge_links: over
DELETE FROM signin_link WHERE expires_at < now();

-- purge_actions: no phone repeats an action after a week
DELETE FROM client_action WHERE at < now() - interval '7 days';

-- purge_poison: what nobody can read is kept for a quarter, and at most a hundred thousand messages of it
DELETE FROM poison WHERE received_at < now() - interval '90 days' OR id <= (SELECT max(id) - 100000 FROM poison);
