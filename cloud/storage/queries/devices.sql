-- devices: devices at these paths and below, with their gateways
SELECT device.id, device.code, device.type, device.name, device.place_id, device.online, device.changed_at,
       gateway.group_code AS gateway_group, gateway.code AS gateway_code, gateway.online AS gateway_online
FROM device JOIN gateway ON gateway.id = device.gateway_id LEFT JOIN place ON place.id = device.place_id
WHERE device.code <> ''
  AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND device.place_id IS NULL))
ORDER BY gateway.code, device.code LIMIT %(limit)s;

-- latest: the newest values of devices
SELECT series.device_id, series.metric, series.datatype, series.unit, latest.ts, latest.value, latest.text, latest.quality
FROM series JOIN latest ON latest.series_id = series.id WHERE series.device_id = ANY (%(ids)s::int[]) ORDER BY series.metric;

-- where: the place of a device
SELECT device.id, device.place_id, place.path FROM device LEFT JOIN place ON place.id = device.place_id WHERE device.id = %(id)s;

-- series: a metric of a device
SELECT series.id, series.unit, series.datatype, device.type FROM series JOIN device ON device.id = series.device_id
WHERE series.device_id = %(device)s AND series.metric = %(metric)s;

-- events: the newest events of a device
SELECT ts, kind, data FROM event WHERE device_id = %(device)s ORDER BY ts DESC, id DESC LIMIT %(limit)s;
