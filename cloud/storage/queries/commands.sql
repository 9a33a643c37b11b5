-- target: a device, what it is, where it hangs
SELECT device.id, device.code, device.type, device.place_id, place.path
FROM device LEFT JOIN place ON place.id = device.place_id WHERE device.id = %(id)s;

-- gateway: the row that stands for a gateway itself
SELECT device.id, device.code, device.type, gateway.place_id, place.path
FROM gateway JOIN device ON device.gateway_id = gateway.id AND device.code = '' LEFT JOIN place ON place.id = gateway.place_id
WHERE gateway.group_code = %(group)s AND gateway.code = %(code)s;

-- insert: a new command; the same id again is the same command
INSERT INTO command (id, device_id, output, value, person_id, created_at, expires_at)
VALUES (%(id)s, %(device)s, %(output)s, %(value)s, %(person)s, %(now)s, %(expires_at)s) ON CONFLICT (id) DO NOTHING;

-- shown: commands by id, with who gave them and where
SELECT command.*, person.name AS person_name, device.place_id
FROM command JOIN person ON person.id = command.person_id JOIN device ON device.id = command.device_id
WHERE command.id = ANY (%(ids)s::uuid[]) ORDER BY command.created_at DESC, command.id;

-- of_device: the newest commands of a device
SELECT id FROM command WHERE device_id = %(device)s ORDER BY created_at DESC, id LIMIT %(limit)s;

-- lock: a command and where it goes; the alias is the one that the newest birth gave
SELECT command.*, device.code AS device_code, gateway.group_code, gateway.code AS gateway_code,
       (SELECT alias.alias FROM alias WHERE alias.gateway_id = gateway.id AND alias.device_id = device.id
        AND alias.metric = CASE command.output WHEN 'read' THEN 'Device Control/Read' ELSE 'Output/' || command.output END) AS alias
FROM command JOIN device ON device.id = command.device_id JOIN gateway ON gateway.id = device.gateway_id
WHERE command.id = %(id)s FOR UPDATE OF command;

-- sent: it was asked
UPDATE command SET state = 'sent', sent_at = %(now)s WHERE id = %(id)s AND state = 'queued';

-- ticket: the first one counts, and only while the command still stands; a gateway may be quicker than the commit of 'sent'
UPDATE command SET ticket = %(ticket)s
WHERE id = %(id)s AND device_id = %(device)s AND state IN ('queued', 'sent') AND ticket IS NULL AND expires_at > %(now)s RETURNING id;

-- outcome: what the gateway says became of it; it also corrects our belief that it expired
UPDATE command SET state = %(state)s, answered_at = %(at)s, error = %(error)s
WHERE id = %(id)s AND device_id = %(device)s AND state IN ('queued', 'sent', 'expired') RETURNING id;

-- reborn: the gateway's birth is the outcome of every wish for one
UPDATE command SET state = 'done', answered_at = given.at
FROM unnest(%(devices)s::integer[], %(at)s::timestamptz[]) AS given (device, at)
WHERE device_id = given.device AND output = %(output)s AND state IN ('queued', 'sent') RETURNING id;

-- expire: nobody answered
UPDATE command SET state = 'expired', error = %(error)s WHERE id = %(id)s AND state IN ('queued', 'sent') RETURNING id;
