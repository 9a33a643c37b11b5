-- standing: what /healthz and /metrics tell of the database
SELECT (SELECT count(*) FROM due WHERE due_at < now() - interval '1 minute' AND attempts = 0) AS late_timers,
       (SELECT count(*) FROM due WHERE attempts > 0) AS failing_timers,
       (SELECT count(*) FROM poison WHERE id > (SELECT max(id) - 10000 FROM poison) AND received_at > now() - interval '1 day'
           AND code IN ('cloud.ingest.unjudged', 'cloud.ingest.refused')) AS unjudged,
       (SELECT count(*) FROM offer JOIN task ON task.id = offer.task_id
        WHERE offer.state = 'offered' AND task.state = 'open') AS open_offers,
       (SELECT jsonb_object_agg(severity, count) FROM (
           SELECT severity, count(*) FROM alarm WHERE cleared_at IS NULL AND walk_test_id IS NULL GROUP BY severity) AS per_severity) AS active_alarms,
       (SELECT count(*) FROM incident WHERE closed_at IS NULL) AS open_incidents,
       (SELECT count(*) FROM gateway WHERE NOT online) AS gateways_offline,
       coalesce((SELECT extract(epoch FROM now() - received_at)::float8 FROM rollup_mark ORDER BY id LIMIT 1), 0) AS rollups_wait_s;
