-- queue: notifications, each once
INSERT INTO notification (person_id, channel, kind, params, incident_id, once, state, queued_at, sent_at)
SELECT person, %(channel)s, kind, params, incident, once, %(state)s, %(now)s, %(sent_at)s
FROM unnest(%(persons)s::uuid[], %(kinds)s::text[], %(params)s::jsonb[], %(incidents)s::bigint[], %(once)s::text[])
     AS notice (person, kind, params, incident, once)
ON CONFLICT (once) DO NOTHING RETURNING id;

-- take: one that is still to be sent, locked
SELECT id, person_id, channel, kind, params, attempts FROM notification WHERE id = %(id)s AND state = 'queued' FOR UPDATE;

-- tried: how an attempt ended
UPDATE notification SET state = %(state)s, error = %(error)s, sent_at = %(sent_at)s, attempts = attempts + 1 WHERE id = %(id)s;

-- reach: a receipt
UPDATE notification SET state = %(state)s, delivered_at = coalesce(delivered_at, %(now)s),
    read_at = CASE WHEN %(state)s IN ('read', 'answered') THEN coalesce(read_at, %(now)s) END
WHERE once = %(once)s AND array_position(ARRAY['queued', 'sent', 'delivered', 'read', 'answered'], state)
                        < array_position(ARRAY['queued', 'sent', 'delivered', 'read', 'answered'], %(state)s);
