-- places: the tree as it is
SELECT id, path, kind, outline FROM place;

-- gateway: by its Sparkplug name
SELECT id FROM gateway WHERE group_code = %(group)s AND code = %(code)s;

-- store_place: a place as the file says
WITH written AS (
    INSERT INTO place (parent_id, kind, code, path, name, lat, lon, outline, floor, access)
    VALUES (%(parent_id)s, %(kind)s, %(code)s, %(path)s, %(name)s, %(lat)s, %(lon)s, %(outline)s, %(floor)s, %(access)s)
    ON CONFLICT (path) DO UPDATE
    SET parent_id = excluded.parent_id, kind = excluded.kind, name = excluded.name, lat = excluded.lat, lon = excluded.lon,
        outline = excluded.outline, floor = excluded.floor, access = excluded.access
    WHERE (place.parent_id, place.kind, place.name, place.lat, place.lon, place.outline, place.floor, place.access)
        IS DISTINCT FROM (excluded.parent_id, excluded.kind, excluded.name, excluded.lat, excluded.lon, excluded.outline,
                          excluded.floor, excluded.access)
    RETURNING id, CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome
)
SELECT id, outcome FROM written
UNION ALL SELECT id, 'unchanged' FROM place WHERE path = %(path)s AND NOT EXISTS (SELECT FROM written);

-- store_grid: a grid as the file says
WITH written AS (
    INSERT INTO grid (place_id, code, name, outline) VALUES (%(place_id)s, %(code)s, %(name)s, %(outline)s)
    ON CONFLICT (code) DO UPDATE SET place_id = excluded.place_id, name = excluded.name, outline = excluded.outline
    WHERE (grid.place_id, grid.name, grid.outline) IS DISTINCT FROM (excluded.place_id, excluded.name, excluded.outline)
    RETURNING id, CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome
)
SELECT id, outcome FROM written
UNION ALL SELECT id, 'unchanged' FROM grid WHERE code = %(code)s AND NOT EXISTS (SELECT FROM written);

-- store_person: a person as the file says; the language is theirs once they exist
WITH written AS (
    INSERT INTO person (login, name, language) VALUES (%(login)s, %(name)s, %(language)s)
    ON CONFLICT (login) DO UPDATE SET name = excluded.name WHERE person.name IS DISTINCT FROM excluded.name
    RETURNING id, CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome
)
SELECT 0 AS id, outcome FROM written
UNION ALL SELECT 0, 'unchanged' WHERE NOT EXISTS (SELECT FROM written);

-- grant_role: a role at a place
INSERT INTO role_grant (person_id, role, place_id)
SELECT id, %(role)s, %(place_id)s FROM person WHERE login = %(login)s
ON CONFLICT DO NOTHING RETURNING 'added' AS outcome;

-- store_responder: post and skills; who is on duty, and where they are, is theirs to say
INSERT INTO responder (person_id, post_lat, post_lon, skills)
SELECT id, %(lat)s, %(lon)s, %(skills)s FROM person WHERE login = %(login)s
ON CONFLICT (person_id) DO UPDATE
SET post_lat = excluded.post_lat, post_lon = excluded.post_lon, skills = excluded.skills
WHERE (responder.post_lat, responder.post_lon, responder.skills)
    IS DISTINCT FROM (excluded.post_lat, excluded.post_lon, excluded.skills)
RETURNING CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome;

-- store_gateway: where it stands and what it is called; what births say of it stays
WITH written AS (
    INSERT INTO gateway (group_code, code, place_id, name) VALUES (%(group)s, %(code)s, %(place_id)s, %(name)s)
    ON CONFLICT (group_code, code) DO UPDATE SET place_id = excluded.place_id, name = excluded.name
    WHERE (gateway.place_id, gateway.name) IS DISTINCT FROM (excluded.place_id, excluded.name)
    RETURNING id, CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome
)
SELECT id, outcome FROM written
UNION ALL
SELECT id, 'unchanged' FROM gateway
WHERE group_code = %(group)s AND code = %(code)s AND NOT EXISTS (SELECT FROM written);

-- store_device: what it is, where it hangs and what it is called
WITH written AS (
    INSERT INTO device (gateway_id, code, type, place_id, name)
    VALUES (%(gateway_id)s, %(code)s, %(type)s, %(place_id)s, %(name)s)
    ON CONFLICT (gateway_id, code) DO UPDATE
    SET type = excluded.type, place_id = excluded.place_id, name = excluded.name
    WHERE (device.type, device.place_id, device.name) IS DISTINCT FROM (excluded.type, excluded.place_id, excluded.name)
    RETURNING id, CASE WHEN xmax = 0 THEN 'added' ELSE 'changed' END AS outcome
)
SELECT id, outcome FROM written
UNION ALL
SELECT id, 'unchanged' FROM device
WHERE gateway_id = %(gateway_id)s AND code = %(code)s AND NOT EXISTS (SELECT FROM written);

-- give_units: the catalogue's units for series that have none
UPDATE series SET unit = given.unit
FROM unnest(%(metrics)s::text[], %(units)s::text[]) AS given (metric, unit)
WHERE series.device_id = %(device_id)s AND series.metric = given.metric AND series.unit = '';
