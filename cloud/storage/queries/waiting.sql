-- heard: a device waits; a gateway that tells of ever more of them fills its own list only
INSERT INTO waiting_device (gateway_id, driver, address, family, name, model, type, settings, since)
SELECT %(gateway)s, %(driver)s, %(address)s, %(family)s, %(name)s, %(model)s, %(type)s, %(settings)s::jsonb, %(now)s
WHERE (SELECT count(*) FROM waiting_device WHERE gateway_id = %(gateway)s) < %(most)s
   OR EXISTS (SELECT 1 FROM waiting_device WHERE gateway_id = %(gateway)s AND driver = %(driver)s AND address = %(address)s)
ON CONFLICT (gateway_id, driver, address) DO UPDATE
SET family = excluded.family, name = excluded.name, model = excluded.model, type = excluded.type, settings = excluded.settings;

-- over: it was approved, or left
DELETE FROM waiting_device WHERE gateway_id = %(gateway)s AND driver = %(driver)s AND address = %(address)s;

-- listed: who waits at a gateway, the longest first
SELECT driver, address, family, name, model, type, settings, since FROM waiting_device
WHERE gateway_id = %(gateway)s ORDER BY since, driver, address;

-- one: a device that waits
SELECT settings FROM waiting_device WHERE gateway_id = %(gateway)s AND driver = %(driver)s AND address = %(address)s;
