-- gateway: with its own device row and where it hangs
SELECT gateway.id, gateway.group_code, gateway.code, gateway.name, gateway.online, gateway.place_id, place.path, device.id AS device_id
FROM gateway LEFT JOIN place ON place.id = gateway.place_id
LEFT JOIN device ON device.gateway_id = gateway.id AND device.code = ''
WHERE gateway.group_code = %(group)s AND gateway.code = %(code)s;

-- hold: one wish for a gateway at a time; what is received from it goes on
SELECT id FROM gateway WHERE id = %(gateway)s FOR NO KEY UPDATE;

-- gateway_of: by the row of the gateway itself
SELECT gateway_id FROM device WHERE id = %(device)s AND code = '';

-- where: a gateway's name and place
SELECT group_code, code, place_id FROM gateway WHERE id = %(gateway)s;

-- by_id: a version
SELECT * FROM configuration WHERE id = %(id)s;

-- versions: the newest versions with who wanted them, the wanted one first
SELECT configuration.*, person.name AS person_name FROM configuration JOIN person ON person.id = configuration.person_id
WHERE gateway_id = %(gateway)s ORDER BY number DESC LIMIT %(limit)s;

-- reported: what the gateway said last
SELECT * FROM reported_configuration WHERE gateway_id = %(gateway)s;

-- next_number: after everything that was wanted or reported
SELECT 1 + greatest(coalesce((SELECT max(number) FROM configuration WHERE gateway_id = %(gateway)s), 0),
                    coalesce((SELECT number FROM reported_configuration WHERE gateway_id = %(gateway)s), 0)) AS number;

-- supersede: what is not on trial yet gives way, and a trial of which nothing was heard long after its end
UPDATE configuration SET state = 'superseded', changed_at = %(now)s
WHERE gateway_id = %(gateway)s
  AND (state IN ('queued', 'sent') OR (state = 'trying' AND changed_at + make_interval(secs => hold_s + 600) < %(now)s));

-- open: the version that is under way
SELECT id, state FROM configuration WHERE gateway_id = %(gateway)s AND state IN ('queued', 'sent', 'trying');

-- insert: a version
INSERT INTO configuration (id, gateway_id, number, hash, text, hold_s, person_id, created_at, changed_at)
VALUES (%(id)s, %(gateway)s, %(number)s, %(hash)s, %(text)s, %(hold_s)s, %(person)s, %(now)s, %(now)s);

-- lock: a version and where it goes; the alias is the one that the newest birth gave
SELECT configuration.*, gateway.group_code, gateway.code AS gateway_code, gateway.online,
       (SELECT alias.alias FROM alias JOIN device ON device.id = alias.device_id
        WHERE alias.gateway_id = gateway.id AND device.code = '' AND alias.metric = %(metric)s) AS alias
FROM configuration JOIN gateway ON gateway.id = configuration.gateway_id
WHERE configuration.id = %(id)s FOR UPDATE OF configuration;

-- sent: it was offered
UPDATE configuration SET state = 'sent', changed_at = %(now)s WHERE id = %(id)s AND state = 'queued';

-- ticket: the newest counts, while it is wanted
UPDATE configuration SET ticket = %(ticket)s
WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent') RETURNING id;

-- trying: the gateway has begun to work by it
UPDATE configuration SET state = 'trying', changed_at = %(at)s
WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent') RETURNING id;

-- outcome: what became of it
UPDATE configuration SET state = %(state)s, changed_at = %(at)s, error = %(error)s
WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent', 'trying', 'superseded') RETURNING id;

-- report: what the gateway says that it runs; a text that belongs to another content is forgotten
INSERT INTO reported_configuration (gateway_id, number, hash, at) VALUES (%(gateway)s, %(number)s, %(hash)s, %(at)s)
ON CONFLICT (gateway_id) DO UPDATE
SET number = excluded.number, hash = excluded.hash, at = excluded.at,
    text = CASE WHEN reported_configuration.hash = excluded.hash THEN reported_configuration.text END,
    pieces = CASE WHEN reported_configuration.hash = excluded.hash THEN reported_configuration.pieces ELSE '{}' END
WHERE reported_configuration.at <= excluded.at;

-- piece: a part of the text arrived
UPDATE reported_configuration SET pieces = pieces || jsonb_build_object(%(piece)s::text, %(text)s::text)
WHERE gateway_id = %(gateway)s AND hash = %(hash)s RETURNING pieces;

-- whole: the text is complete
UPDATE reported_configuration SET text = %(text)s, pieces = '{}' WHERE gateway_id = %(gateway)s;

-- text_of: of a version that was sent from here
SELECT text FROM configuration WHERE gateway_id = %(gateway)s AND hash = %(hash)s ORDER BY number DESC LIMIT 1;
