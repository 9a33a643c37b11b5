-- insert_gateway: a node that nobody knew
INSERT INTO gateway (group_code, code) VALUES (%(group)s, %(code)s) ON CONFLICT DO NOTHING;

-- insert_gateways: nodes that nobody knew, in one fixed order for everybody
INSERT INTO gateway (group_code, code)
SELECT group_code, code FROM unnest(%(groups)s::text[], %(codes)s::text[]) AS given (group_code, code)
ORDER BY group_code, code ON CONFLICT DO NOTHING;

-- lock: gateways that a group writes to, in one fixed order for everybody
SELECT id FROM gateway JOIN unnest(%(groups)s::text[], %(codes)s::text[]) AS given (group_code, code) USING (group_code, code)
ORDER BY group_code, code FOR NO KEY UPDATE OF gateway;

-- gateway_online: NBIRTH; one without an outbox says nothing about what was declared before
WITH before AS (
    SELECT id, online FROM gateway WHERE group_code = %(group)s AND code = %(code)s FOR UPDATE
)
UPDATE gateway g
SET online = true, bdseq = %(bdseq)s, born_at = %(at)s, seen_at = %(at)s, birth = coalesce(%(birth)s, g.birth),
    declared = CASE WHEN %(birth)s::text IS NULL THEN g.declared ELSE %(declared)s END
FROM before WHERE g.id = before.id
RETURNING g.id, g.group_code, g.code, g.place_id, before.online AS was_online;

-- gateway_offline: NDEATH, or silence
UPDATE gateway SET online = false, died_at = %(at)s
WHERE group_code = %(group)s AND code = %(code)s AND online
RETURNING id, group_code, code, place_id;

-- gateway: by its Sparkplug name
SELECT id, place_id, online FROM gateway WHERE group_code = %(group)s AND code = %(code)s;

-- online_gateways: those believed to be there
SELECT group_code, code FROM gateway WHERE online ORDER BY group_code, code;

-- insert_device: a device that nobody knew; the gateway's own row hangs where the gateway does
INSERT INTO device (gateway_id, code, type, place_id)
SELECT %(gateway_id)s, %(code)s, %(type)s, CASE WHEN %(code)s = '' THEN place_id END FROM gateway WHERE id = %(gateway_id)s
ON CONFLICT DO NOTHING;

-- device_online: DBIRTH
WITH before AS (
    SELECT id, online FROM device WHERE gateway_id = %(gateway_id)s AND code = %(code)s FOR UPDATE
)
UPDATE device d
SET online = true, seen_at = %(at)s, changed_at = CASE WHEN before.online THEN d.changed_at ELSE %(at)s END
FROM before WHERE d.id = before.id
RETURNING d.id, d.code, d.place_id, before.online AS was_online;

-- device_offline: DDEATH
UPDATE device d SET online = false, changed_at = %(at)s
FROM gateway g
WHERE g.group_code = %(group)s AND g.code = %(node)s AND d.gateway_id = g.id AND d.code = %(code)s AND d.online
RETURNING d.id, d.code, d.place_id;

-- devices_offline: all of a gateway but those to keep
UPDATE device SET online = false, changed_at = %(at)s
WHERE gateway_id = %(gateway_id)s AND online AND NOT code = ANY(%(keep)s::text[])
RETURNING id, code, place_id;

-- device: by its code
SELECT id FROM device WHERE gateway_id = %(gateway_id)s AND code = %(code)s;

-- device_type: the catalogue's row
SELECT type FROM device WHERE id = %(device_id)s;

-- insert_series: metrics that nobody knew
INSERT INTO series (device_id, metric, datatype, unit)
SELECT %(device_id)s, metric, datatype, unit
FROM unnest(%(metrics)s::text[], %(datatypes)s::smallint[], %(units)s::text[]) AS given (metric, datatype, unit)
ON CONFLICT (device_id, metric) DO UPDATE
SET datatype = excluded.datatype, unit = CASE WHEN excluded.unit = '' THEN series.unit ELSE excluded.unit END
WHERE series.datatype <> excluded.datatype OR excluded.unit NOT IN ('', series.unit);

-- series: the numbers of metrics
SELECT id, metric FROM series WHERE device_id = %(device_id)s AND metric = ANY(%(metrics)s::text[]);

-- store_aliases: of the newest birth
INSERT INTO alias (gateway_id, alias, device_id, metric, datatype)
SELECT %(gateway_id)s, alias, %(device_id)s, metric, datatype
FROM unnest(%(aliases)s::bigint[], %(metrics)s::text[], %(datatypes)s::smallint[]) AS given (alias, metric, datatype)
ON CONFLICT (gateway_id, alias) DO UPDATE
SET device_id = excluded.device_id, metric = excluded.metric, datatype = excluded.datatype
WHERE (alias.device_id, alias.metric, alias.datatype) IS DISTINCT FROM (excluded.device_id, excluded.metric, excluded.datatype);

-- seen: when gateways were last heard of
UPDATE gateway SET seen_at = %(at)s
FROM (SELECT id FROM gateway WHERE id = ANY(%(gateways)s::integer[]) ORDER BY id FOR UPDATE) AS these
WHERE gateway.id = these.id;

-- subjects: devices and where they hang
SELECT d.id AS device_id, d.code, d.type, d.gateway_id, d.place_id, p.path AS place_path
FROM device d LEFT JOIN place p ON p.id = d.place_id
WHERE d.id = ANY(%(devices)s::integer[]);
