-- insert_gateways: nodes that nobody knew, in one fixed order for everybody
INSERT INTO gateway (group_code, code)
SELECT group_code, code FROM unnest(%(groups)s::text[], %(codes)s::text[]) AS given (group_code, code)
WHERE NOT EXISTS (SELECT FROM gateway g WHERE g.group_code = given.group_code AND g.code = given.code)
ORDER BY group_code, code ON CONFLICT DO NOTHING;

-- lock: gateways that a group writes to, in one fixed order for everybody
SELECT id FROM gateway JOIN unnest(%(groups)s::text[], %(codes)s::text[]) AS given (group_code, code) USING (group_code, code)
ORDER BY group_code, code FOR NO KEY UPDATE OF gateway;

-- gateways_online: NBIRTHs; one without an outbox says nothing about what was declared before
WITH given AS (
    SELECT * FROM unnest(%(groups)s::text[], %(codes)s::text[], %(at)s::timestamptz[], %(bdseqs)s::smallint[],
                         %(births)s::text[], %(declared)s::jsonb[])
        AS g (group_code, code, at, bdseq, birth, declared)
), before AS (
    SELECT g.id, g.online, given.at, given.bdseq, given.birth, given.declared
    FROM gateway g JOIN given USING (group_code, code) ORDER BY group_code, code FOR UPDATE OF g
)
UPDATE gateway g
SET online = true, bdseq = before.bdseq, born_at = before.at, seen_at = before.at,
    birth = coalesce(before.birth, g.birth),
    declared = CASE WHEN before.birth IS NULL THEN g.declared ELSE before.declared END
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

-- insert_devices: devices that nobody knew; the gateway's own row hangs where the gateway does
INSERT INTO device (gateway_id, code, type, place_id)
SELECT g.id, given.code, CASE WHEN given.code = '' THEN %(node_type)s END, CASE WHEN given.code = '' THEN g.place_id END
FROM unnest(%(gateways)s::integer[], %(codes)s::text[]) AS given (gateway_id, code) JOIN gateway g ON g.id = given.gateway_id
WHERE NOT EXISTS (SELECT FROM device d WHERE d.gateway_id = g.id AND d.code = given.code)
ORDER BY g.id, given.code ON CONFLICT DO NOTHING;

-- devices_online: DBIRTHs, and the rows of gateways themselves
WITH given AS (
    SELECT * FROM unnest(%(gateways)s::integer[], %(codes)s::text[], %(at)s::timestamptz[]) AS g (gateway_id, code, at)
), before AS (
    SELECT d.id, d.online, given.at FROM device d JOIN given USING (gateway_id, code) ORDER BY d.id FOR UPDATE OF d
)
UPDATE device d
SET online = true, seen_at = before.at, changed_at = CASE WHEN before.online THEN d.changed_at ELSE before.at END
FROM before WHERE d.id = before.id
RETURNING d.id, d.gateway_id, d.code, d.place_id, before.online AS was_online;

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

-- device_types: the catalogue's rows
SELECT id, type FROM device WHERE id = ANY(%(devices)s::integer[]) AND type IS NOT NULL;

-- insert_series: metrics that nobody knew, or that have changed
INSERT INTO series (device_id, metric, datatype, unit)
SELECT given.* FROM unnest(%(devices)s::integer[], %(metrics)s::text[], %(datatypes)s::smallint[], %(units)s::text[])
    AS given (device_id, metric, datatype, unit)
WHERE NOT EXISTS (SELECT FROM series s WHERE s.device_id = given.device_id AND s.metric = given.metric
    AND s.datatype = given.datatype AND given.unit IN ('', s.unit))
ON CONFLICT (device_id, metric) DO UPDATE
SET datatype = excluded.datatype, unit = CASE WHEN excluded.unit = '' THEN series.unit ELSE excluded.unit END
WHERE series.datatype <> excluded.datatype OR excluded.unit NOT IN ('', series.unit);

-- series: the numbers of metrics
SELECT s.id, s.device_id, s.metric FROM series s
JOIN unnest(%(devices)s::integer[], %(metrics)s::text[]) AS given (device_id, metric) USING (device_id, metric);

-- store_aliases: of the newest births, where they are new
INSERT INTO alias (gateway_id, alias, device_id, metric, datatype)
SELECT given.*
FROM unnest(%(gateways)s::integer[], %(aliases)s::bigint[], %(devices)s::integer[], %(metrics)s::text[], %(datatypes)s::smallint[])
    AS given (gateway_id, alias, device_id, metric, datatype)
WHERE NOT EXISTS (SELECT FROM alias a WHERE a.gateway_id = given.gateway_id AND a.alias = given.alias
    AND (a.device_id, a.metric, a.datatype) = (given.device_id, given.metric, given.datatype))
ON CONFLICT (gateway_id, alias) DO UPDATE
SET device_id = excluded.device_id, metric = excluded.metric, datatype = excluded.datatype;

-- seen: when gateways were last heard of
UPDATE gateway SET seen_at = %(at)s
FROM (SELECT id FROM gateway WHERE id = ANY(%(gateways)s::integer[]) ORDER BY id FOR UPDATE) AS these
WHERE gateway.id = these.id;

-- subjects: devices and where they hang
SELECT d.id AS device_id, d.code, d.type, d.gateway_id, d.place_id, p.path AS place_path
FROM device d LEFT JOIN place p ON p.id = d.place_id
WHERE d.id = ANY(%(devices)s::integer[]);
