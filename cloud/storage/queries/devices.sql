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
SELECT id, unit, datatype FROM series WHERE device_id = %(device)s AND metric = %(metric)s;

-- history: means over equal steps of time, for a chart
SELECT (extract(epoch FROM min(ts)) * 1000)::bigint AS ms, avg(value) AS value FROM reading
WHERE series_id = %(series)s AND ts >= %(begin)s AND ts < %(end)s AND value IS NOT NULL
GROUP BY floor(extract(epoch FROM ts - %(begin)s) / %(step_s)s) ORDER BY 1;

-- events: the newest events of a device
SELECT ts, kind, data FROM event WHERE device_id = %(device)s ORDER BY ts DESC, id DESC LIMIT %(limit)s;
