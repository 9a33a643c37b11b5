-- place: by its path
SELECT id, path FROM place WHERE path = %(path)s;

-- listed: people of a place and below, by their codes; cards are counted here
SELECT cardholder.*, place.path, place.name AS place_name,
       coalesce((SELECT array_agg(card ORDER BY duress, card) FROM cardholder_card WHERE cardholder_id = cardholder.id AND NOT duress), '{}') AS cards,
       (SELECT count(*) FROM cardholder_card WHERE cardholder_id = cardholder.id AND duress) AS duress,
       coalesce((SELECT array_agg(gateway.code || '/' || device.code ORDER BY gateway.code, device.code)
                 FROM cardholder_door JOIN device ON device.id = cardholder_door.device_id JOIN gateway ON gateway.id = device.gateway_id
                 WHERE cardholder_id = cardholder.id), '{}') AS doors
FROM cardholder JOIN place ON place.id = cardholder.place_id
WHERE (place.path = %(path)s OR starts_with(place.path, %(path)s || '/')) AND cardholder.code > %(after)s
  AND (%(text)s = '' OR strpos(lower(cardholder.code || ' ' || cardholder.name), lower(%(text)s)) > 0)
ORDER BY cardholder.code LIMIT %(limit)s;

-- counted: people of a place and below
SELECT count(*) AS all, count(*) FILTER (WHERE enabled) AS enabled FROM cardholder JOIN place ON place.id = cardholder.place_id
WHERE place.path = %(path)s OR starts_with(place.path, %(path)s || '/');

-- one: with their place, locked
SELECT cardholder.*, place.path FROM cardholder JOIN place ON place.id = cardholder.place_id
WHERE cardholder.code = %(code)s FOR UPDATE OF cardholder;

-- many: with their places, locked in the order of their codes
SELECT cardholder.*, place.path FROM cardholder JOIN place ON place.id = cardholder.place_id
WHERE cardholder.code = ANY(%(codes)s) ORDER BY cardholder.code FOR UPDATE OF cardholder;

-- put: people as they are wanted; no row for one whom somebody else has added a moment ago
INSERT INTO cardholder (code, place_id, name, schedule, valid_from, valid_until, enabled, passback_exempt, changed_at, changed_by)
SELECT code, %(place_id)s, name, schedule, valid_from, valid_until, enabled, passback_exempt, %(now)s, %(person)s
FROM unnest(%(code)s::text[], %(name)s::text[], %(schedule)s::text[], %(valid_from)s::date[], %(valid_until)s::date[],
            %(enabled)s::bool[], %(passback_exempt)s::bool[])
     AS wanted (code, name, schedule, valid_from, valid_until, enabled, passback_exempt)
ON CONFLICT (code) DO UPDATE SET place_id = excluded.place_id, name = excluded.name, schedule = excluded.schedule,
    valid_from = excluded.valid_from, valid_until = excluded.valid_until, enabled = excluded.enabled,
    passback_exempt = excluded.passback_exempt, changed_at = excluded.changed_at, changed_by = excluded.changed_by
WHERE cardholder.code = ANY(%(known)s)
RETURNING id, code;

-- enable: switched on or off, and nothing else
UPDATE cardholder SET enabled = %(enabled)s, changed_at = %(now)s, changed_by = %(person)s WHERE id = %(id)s;

-- drop: with their cards
DELETE FROM cardholder WHERE id = %(id)s;

-- cards: of somebody
SELECT card, duress FROM cardholder_card WHERE cardholder_id = %(id)s ORDER BY duress, card;

-- take_cards: before others are given
DELETE FROM cardholder_card
WHERE cardholder_id = ANY(%(ids)s::int[]) AND NOT duress OR cardholder_id = ANY(%(duress_ids)s::int[]) AND duress;

-- owners: whose these cards are, but for those that these people are about to give back
SELECT card, cardholder.code, place.path FROM cardholder_card
JOIN cardholder ON cardholder.id = cardholder_id JOIN place ON place.id = cardholder.place_id
WHERE card = ANY(%(cards)s::text[])
  AND NOT (cardholder.code = ANY(CASE WHEN duress THEN %(duress_codes)s::text[] ELSE %(codes)s::text[] END)) ORDER BY card;

-- give_cards: one row each, in the order of the cards; none for a card that somebody has
INSERT INTO cardholder_card (card, cardholder_id, duress)
SELECT * FROM unnest(%(cards)s::text[], %(ids)s::int[], %(duress)s::bool[]) AS given (card, cardholder_id, duress) ORDER BY card
ON CONFLICT (card) DO NOTHING RETURNING card;

-- take_doors: before others are given
DELETE FROM cardholder_door WHERE cardholder_id = ANY(%(ids)s);

-- give_doors: one row each
INSERT INTO cardholder_door (cardholder_id, device_id) SELECT * FROM unnest(%(ids)s::int[], %(doors)s::int[]) ON CONFLICT DO NOTHING;

-- doors: at a place and below
SELECT device.id, device.code, gateway.code AS gateway, gateway.id AS gateway_id, gateway.group_code, place.path, device.name
FROM device JOIN gateway ON gateway.id = device.gateway_id JOIN place ON place.id = device.place_id
WHERE device.type = 'door' AND (place.path = %(path)s OR starts_with(place.path, %(path)s || '/')) ORDER BY gateway.code, device.code;

-- schedules: that people at a place may have, and those of places below
SELECT access_schedule.code, access_schedule.hours, place.path FROM access_schedule JOIN place ON place.id = access_schedule.place_id
WHERE place.path = %(path)s OR starts_with(%(path)s, place.path || '/') OR starts_with(place.path, %(path)s || '/') ORDER BY access_schedule.code;

-- schedule: one, with its place, locked
SELECT access_schedule.*, place.path FROM access_schedule JOIN place ON place.id = access_schedule.place_id
WHERE access_schedule.code = %(code)s FOR UPDATE OF access_schedule;

-- put_schedule: as it is wanted; no row for one that somebody else has added a moment ago
INSERT INTO access_schedule (code, place_id, hours) VALUES (%(code)s, %(place_id)s, %(hours)s)
ON CONFLICT (code) DO UPDATE SET place_id = excluded.place_id, hours = excluded.hours WHERE %(known)s;

-- schedule_users: how many have it
SELECT count(*) AS count FROM cardholder WHERE schedule = %(code)s;

-- drop_schedule: nobody has it
DELETE FROM access_schedule WHERE code = %(code)s;

-- holidays: of a place
SELECT day FROM access_holiday WHERE place_id = %(place_id)s ORDER BY day;

-- clear_holidays: before others are given
DELETE FROM access_holiday WHERE place_id = %(place_id)s;

-- give_holidays: one row each
INSERT INTO access_holiday (place_id, day) SELECT %(place_id)s, unnest(%(days)s::date[]) ON CONFLICT DO NOTHING;
