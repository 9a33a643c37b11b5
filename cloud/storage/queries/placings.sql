-- told: what a gateway says of a device; only what is newer counts
INSERT INTO told_place (device_id, version, type, place, name, told_at)
VALUES (%(device)s, %(version)s, %(type)s, %(place)s, %(name)s, %(now)s)
ON CONFLICT (device_id) DO UPDATE
SET version = excluded.version, type = excluded.type, place = excluded.place, name = excluded.name, told_at = excluded.told_at,
    state = 'told', decided_by = NULL, decided_at = NULL
WHERE told_place.version < excluded.version;

-- lock: a device with what its gateway says of it
SELECT device.id, device.code, device.type, device.name, device.place_id, device.online, device.gateway_id, here.path AS path,
       gateway.group_code, gateway.code AS gateway_code, gateway.place_id AS gateway_place, there.path AS gateway_path,
       told_place.version, told_place.type AS told_type, told_place.place AS told_place, told_place.name AS told_name, told_place.state
FROM device JOIN gateway ON gateway.id = device.gateway_id
LEFT JOIN told_place ON told_place.device_id = device.id
LEFT JOIN place AS here ON here.id = device.place_id LEFT JOIN place AS there ON there.id = gateway.place_id
WHERE device.id = %(device)s FOR NO KEY UPDATE OF device;

-- device: a device by its gateway's name and its own
SELECT device.id FROM device JOIN gateway ON gateway.id = device.gateway_id
WHERE gateway.group_code = %(group)s AND gateway.code = %(gateway)s AND device.code = %(code)s AND device.code <> '';

-- below: the place with this path below a gateway's estate; of several estates of one name it is the gateway's own
SELECT place.id, place.path FROM place JOIN place AS estate ON place.path = estate.path || '/' || %(place)s
WHERE estate.kind = 'estate' AND estate.code = %(group)s
  AND (%(gateway_path)s::text IS NULL OR %(gateway_path)s = estate.path OR starts_with(%(gateway_path)s, estate.path || '/'))
LIMIT 2;

-- at: a place by its path
SELECT id, path FROM place WHERE path = %(path)s;

-- state: what became of it, if it is the newest
UPDATE told_place SET state = %(state)s, decided_by = %(person)s, decided_at = %(now)s
WHERE device_id = %(device)s AND version = %(version)s;

-- hang: the device hangs there; what was not known of it is
UPDATE device SET place_id = %(place)s,
       type = CASE WHEN %(trusted)s THEN coalesce(%(type)s, device.type) ELSE coalesce(device.type, %(type)s) END,
       name = CASE WHEN device.name = '{}' AND %(name)s <> '' THEN jsonb_build_object('zh-CN', %(name)s::text, 'en', %(name)s::text)
                   ELSE device.name END
WHERE id = %(device)s;

-- values: the newest values of a device, by which it is judged when it goes live
SELECT series.metric, series.datatype, latest.ts, latest.value, latest.text, latest.quality, device.code, device.type, device.gateway_id,
       device.place_id, place.path AS place_path
FROM device JOIN place ON place.id = device.place_id
JOIN series ON series.device_id = device.id JOIN latest ON latest.series_id = series.id
WHERE device.id = %(device)s ORDER BY latest.ts, series.metric;

-- gateways: gateways at these paths and below, with what waits for a person there
SELECT gateway.id, gateway.group_code, gateway.code, gateway.name, gateway.online, gateway.place_id,
       count(device.id) AS devices, count(device.id) FILTER (WHERE device.place_id IS NULL) AS unplaced,
       count(device.id) FILTER (WHERE told_place.state IN ('differs', 'unknown')) AS to_decide,
       (SELECT state FROM walk_test WHERE walk_test.gateway_id = gateway.id AND walk_test.state <> 'over') AS walk_test
FROM gateway LEFT JOIN place ON place.id = gateway.place_id
LEFT JOIN device ON device.gateway_id = gateway.id AND device.code <> '' LEFT JOIN told_place ON told_place.device_id = device.id
WHERE place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND gateway.place_id IS NULL)
GROUP BY gateway.id ORDER BY gateway.group_code, gateway.code LIMIT %(limit)s;

-- devices: the devices of a gateway, where they hang, what the gateway says, and their last test
SELECT device.id, device.code, device.type, device.name, device.online, device.place_id,
       told_place.version, told_place.type AS told_type, told_place.place AS told_place, told_place.name AS told_name, told_place.state, told_place.told_at,
       proof.result, proof.what, proof.at AS tested_at,
       (SELECT array_agg(series.metric) FROM series WHERE series.device_id = device.id AND device.type IS NULL) AS metrics
FROM device LEFT JOIN told_place ON told_place.device_id = device.id
LEFT JOIN LATERAL (SELECT * FROM device_test WHERE device_test.device_id = device.id ORDER BY device_test.at DESC LIMIT 1) AS proof ON true
WHERE device.gateway_id = %(gateway)s AND device.code <> '' ORDER BY device.code LIMIT %(limit)s;

-- places: the places below a gateway's estate
SELECT place.path, place.kind, place.name, estate.path AS estate FROM place
JOIN place AS estate ON estate.kind = 'estate' AND estate.code = %(group)s
     AND (%(gateway_path)s::text IS NULL OR %(gateway_path)s = estate.path OR starts_with(%(gateway_path)s, estate.path || '/'))
WHERE starts_with(place.path, estate.path || '/') ORDER BY place.path LIMIT %(limit)s;
