-- insert_missing: rows of lanes that were never heard of
INSERT INTO received (epoch, lane)
SELECT epoch, lane FROM unnest(%(epochs)s::uuid[], %(lanes)s::text[]) AS given (epoch, lane)
ORDER BY epoch, lane
ON CONFLICT DO NOTHING;

-- lock: one fixed order for everybody
SELECT r.epoch, r.lane, r.numbers::text AS numbers
FROM received r JOIN unnest(%(epochs)s::uuid[], %(lanes)s::text[]) AS given (epoch, lane) USING (epoch, lane)
ORDER BY r.epoch, r.lane
FOR UPDATE OF r;

-- read: as they are, without waiting for anybody
SELECT r.epoch, r.lane, r.numbers::text AS numbers
FROM received r JOIN unnest(%(epochs)s::uuid[], %(lanes)s::text[]) AS given (epoch, lane) USING (epoch, lane);

-- store: what has been received now; null numbers and gateways stay as they are
UPDATE received r
SET numbers = coalesce(given.numbers::int8multirange, r.numbers), highest = greatest(r.highest, given.highest),
    gateway_id = coalesce(given.gateway_id, r.gateway_id)
FROM unnest(%(epochs)s::uuid[], %(lanes)s::text[], %(numbers)s::text[], %(highest)s::bigint[], %(gateways)s::integer[])
    AS given (epoch, lane, numbers, highest, gateway_id)
WHERE r.epoch = given.epoch AND r.lane = given.lane;
