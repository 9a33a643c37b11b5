-- soon: a timer; one that would come later comes now
INSERT INTO due (kind, ref, due_at) VALUES (%(kind)s, %(ref)s, %(at)s)
ON CONFLICT (kind, ref) DO UPDATE SET due_at = least(due.due_at, excluded.due_at);

-- hold: one version of a gateway's sets at a time
SELECT gateway.id, gateway.group_code, gateway.code, gateway.place_id, place.path FROM gateway
LEFT JOIN place ON place.id = gateway.place_id WHERE gateway.id = %(gateway)s FOR NO KEY UPDATE OF gateway;

-- people: everybody with a right at one of the gateway's doors, with those doors and their cards
SELECT cardholder.code, cardholder.schedule, cardholder.valid_from, cardholder.valid_until, cardholder.enabled, cardholder.passback_exempt,
       array_agg(DISTINCT door.code ORDER BY door.code) AS doors,
       coalesce((SELECT array_agg(card ORDER BY card) FROM cardholder_card WHERE cardholder_id = cardholder.id AND NOT duress), '{}') AS cards,
       coalesce((SELECT array_agg(card ORDER BY card) FROM cardholder_card WHERE cardholder_id = cardholder.id AND duress), '{}') AS duress_cards
FROM device AS door JOIN place AS there ON there.id = door.place_id
JOIN place AS home ON there.path = home.path OR starts_with(there.path, home.path || '/')
JOIN cardholder ON cardholder.place_id = home.id
WHERE door.gateway_id = %(gateway)s AND door.type = 'door'
  AND (NOT EXISTS (SELECT FROM cardholder_door WHERE cardholder_id = cardholder.id)
       OR EXISTS (SELECT FROM cardholder_door WHERE cardholder_id = cardholder.id AND device_id = door.id))
GROUP BY cardholder.id;

-- schedules: these
SELECT code, hours FROM access_schedule WHERE code = ANY(%(codes)s);

-- holidays: of every place above the gateway's doors
SELECT DISTINCT day FROM access_holiday JOIN place AS home ON home.id = access_holiday.place_id
JOIN place AS there ON there.path = home.path OR starts_with(there.path, home.path || '/')
JOIN device ON device.place_id = there.id WHERE device.gateway_id = %(gateway)s AND device.type = 'door' ORDER BY day;

-- rules: those in force
SELECT body FROM local_rule WHERE gateway_id = %(gateway)s AND enabled ORDER BY code;

-- newest: the version that is wanted
SELECT * FROM delivered_set WHERE gateway_id = %(gateway)s AND kind = %(kind)s ORDER BY number DESC LIMIT 1;

-- reported: what the gateway said last
SELECT * FROM reported_set WHERE gateway_id = %(gateway)s AND kind = %(kind)s;

-- building: whether the set is about to be made anew
SELECT FROM due WHERE kind = %(timer)s AND ref = %(ref)s;

-- supersede: what is on its way gives way
UPDATE delivered_set SET state = 'superseded', changed_at = %(now)s
WHERE gateway_id = %(gateway)s AND kind = %(kind)s AND state IN ('queued', 'sent');

-- insert: a version
INSERT INTO delivered_set (gateway_id, kind, number, hash, pages, items, created_at, changed_at)
VALUES (%(gateway)s, %(kind)s, %(number)s, %(hash)s, %(pages)s, %(items)s, %(now)s, %(now)s) RETURNING id;

-- put_page: a part of it
INSERT INTO set_page (gateway_id, kind, hash, body) VALUES (%(gateway)s, %(kind)s, %(hash)s, %(body)s) ON CONFLICT DO NOTHING;

-- tidy: pages of no version that is wanted or reported, and old versions
WITH kept AS (
    SELECT pages FROM (SELECT pages, hash FROM delivered_set WHERE gateway_id = %(gateway)s AND kind = %(kind)s ORDER BY number DESC LIMIT 1) AS newest
    UNION ALL
    SELECT delivered_set.pages FROM delivered_set JOIN reported_set USING (gateway_id, kind, hash)
    WHERE delivered_set.gateway_id = %(gateway)s AND delivered_set.kind = %(kind)s
), pruned AS (
    DELETE FROM delivered_set WHERE gateway_id = %(gateway)s AND kind = %(kind)s
      AND number <= (SELECT max(number) FROM delivered_set WHERE gateway_id = %(gateway)s AND kind = %(kind)s) - %(versions)s
)
DELETE FROM set_page WHERE gateway_id = %(gateway)s AND kind = %(kind)s
  AND NOT EXISTS (SELECT FROM kept WHERE set_page.hash = ANY(kept.pages));

-- lock: a version and where it goes; the alias is the one that the newest birth gave
SELECT delivered_set.*, gateway.group_code, gateway.code AS gateway_code, gateway.online,
       (SELECT alias.alias FROM alias JOIN device ON device.id = alias.device_id
        WHERE alias.gateway_id = gateway.id AND device.code = '' AND alias.metric = %(metric)s) AS alias
FROM delivered_set JOIN gateway ON gateway.id = delivered_set.gateway_id
WHERE delivered_set.id = %(id)s FOR UPDATE OF delivered_set;

-- sent: it was offered
UPDATE delivered_set SET state = 'sent', changed_at = %(now)s WHERE id = %(id)s;

-- bodies: pages by their names
SELECT hash, body FROM set_page WHERE gateway_id = %(gateway)s AND kind = %(kind)s AND hash = ANY(%(hashes)s);

-- awaited: whether a gateway is still to take this version
SELECT FROM delivered_set WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent');

-- ticket: the newest counts, while it is wanted
UPDATE delivered_set SET ticket = %(ticket)s, wants = %(wants)s, state = 'sent', changed_at = %(at)s
WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent');

-- outcome: what became of it
UPDATE delivered_set SET state = %(state)s, changed_at = %(at)s, error = %(error)s, ticket = NULL, wants = '{}'
WHERE id = %(id)s AND gateway_id = %(gateway)s AND state IN ('queued', 'sent', 'applied') RETURNING id;

-- report: what the gateway says that it works by
INSERT INTO reported_set (gateway_id, kind, number, hash, items, at) VALUES (%(gateway)s, %(kind)s, %(number)s, %(hash)s, %(items)s, %(at)s)
ON CONFLICT (gateway_id, kind) DO UPDATE
SET number = excluded.number, hash = excluded.hash, items = excluded.items, unfit = NULL, at = excluded.at;

-- report_number: it refused another for the number of its own
UPDATE reported_set SET number = greatest(number, %(held)s) WHERE gateway_id = %(gateway)s AND kind = %(kind)s;

-- unfit: rules that it cannot judge at the moment
UPDATE reported_set SET unfit = %(unfit)s WHERE gateway_id = %(gateway)s AND kind = %(kind)s;

-- again: it is not what the gateway works by after all
UPDATE delivered_set SET state = 'queued', changed_at = %(at)s
WHERE id = %(id)s AND state = 'applied';

-- versions: the newest, the wanted one first
SELECT number, hash, items, state, error, created_at, changed_at, pages FROM delivered_set
WHERE gateway_id = %(gateway)s AND kind = %(kind)s ORDER BY number DESC LIMIT %(limit)s;

-- local_rules: of a gateway
SELECT code, body, enabled, changed_at FROM local_rule WHERE gateway_id = %(gateway)s ORDER BY code;

-- put_rule: a rule as it is wanted
INSERT INTO local_rule (gateway_id, code, body, enabled, changed_at, changed_by)
VALUES (%(gateway)s, %(code)s, %(body)s, %(enabled)s, %(now)s, %(person)s)
ON CONFLICT (gateway_id, code) DO UPDATE
SET body = excluded.body, enabled = excluded.enabled, changed_at = excluded.changed_at, changed_by = excluded.changed_by;

-- drop_rule: it is wanted no more
DELETE FROM local_rule WHERE gateway_id = %(gateway)s AND code = %(code)s RETURNING code;

-- unsure: after a restored backup gateways may work by something newer: all are asked
SELECT id FROM delivered_set WHERE state = 'applied'
  AND number = (SELECT max(number) FROM delivered_set AS other
                WHERE other.gateway_id = delivered_set.gateway_id AND other.kind = delivered_set.kind) ORDER BY id;
