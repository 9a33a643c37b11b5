-- gaps: lanes with numbers that are missing now, or that were told as missing and not taken back
SELECT d.epoch, d.lane, d.gateway_id, d.missing::text AS missing, d.spoken_to, d.vanished
FROM delivery d
WHERE d.received <> int8multirange(int8range(1, d.given + 1))  -- most lanes are whole: this alone is asked of them
   OR (d.epoch, d.lane) IN (SELECT epoch, lane FROM loss WHERE ended_at IS NULL)
ORDER BY d.epoch, d.lane;

-- open: what was told and still stands
SELECT id, epoch, lane, numbers::text AS numbers, missing::text AS missing, gateway_id, reason, noticed_at
FROM loss WHERE ended_at IS NULL ORDER BY id FOR UPDATE;

-- given_up: what gateways told that they had to give up, of these epochs
SELECT data FROM event WHERE kind = 'outbox.lost' AND data ->> 'epoch' = ANY (%(epochs)s::text[]) ORDER BY id;

-- set_aside: gateways that set a broken file aside since a time
SELECT DISTINCT device.gateway_id FROM event JOIN device ON device.id = event.device_id
WHERE event.kind = 'outbox.set-aside' AND event.received_at > %(since)s;

-- gateways: whom it concerns, with the row that stands for the gateway itself
SELECT gateway.id, gateway.group_code, gateway.code, gateway.name, gateway.place_id, device.id AS device_id
FROM gateway LEFT JOIN device ON device.gateway_id = gateway.id AND device.code = ''
WHERE gateway.id = ANY (%(ids)s::integer[]);

-- tell: a range that is missing
INSERT INTO loss (epoch, lane, numbers, missing, gateway_id, reason, noticed_at)
VALUES (%(epoch)s, %(lane)s, %(numbers)s::int8multirange, %(numbers)s::int8multirange, %(gateway)s, %(reason)s, %(now)s)
RETURNING id;

-- correct: some of it arrived, or why became known
UPDATE loss SET missing = %(missing)s::int8multirange, reason = %(reason)s, ended_at = %(ended_at)s WHERE id = %(id)s;

-- newest: what was told, newest first, at these paths and below
SELECT loss.id, loss.epoch, loss.lane, loss.numbers::text AS numbers, loss.missing::text AS missing, loss.reason, loss.noticed_at, loss.ended_at,
       gateway.group_code, gateway.code AS gateway_code, gateway.name AS gateway_name, gateway.place_id
FROM loss LEFT JOIN gateway ON gateway.id = loss.gateway_id LEFT JOIN place ON place.id = gateway.place_id
WHERE (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND gateway.place_id IS NULL))
  AND (%(gateway)s::integer IS NULL OR loss.gateway_id = %(gateway)s)
ORDER BY loss.ended_at IS NOT NULL, loss.id DESC LIMIT %(limit)s;

-- standing_at: what was told at these paths and below and still is missing; the newest of it
SELECT count(*) AS count, max(loss.id) AS newest
FROM loss LEFT JOIN gateway ON gateway.id = loss.gateway_id LEFT JOIN place ON place.id = gateway.place_id
WHERE loss.ended_at IS NULL
  AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND gateway.place_id IS NULL));

-- lanes: per gateway and lane, how many numbers were given, arrived, are held there, are missing for good, or may be on their way
SELECT gateway.id AS gateway_id, gateway.group_code, gateway.code, gateway.name, gateway.place_id, gateway.online, gateway.seen_at, gateway.born_at,
       d.lane, coalesce(sum(d.given), 0)::bigint AS given, coalesce(sum(size_of(d.received)), 0)::bigint AS received,
       coalesce(sum(size_of(d.held)), 0)::bigint AS held, coalesce(sum(size_of(d.missing)), 0)::bigint AS missing,
       coalesce(sum(lost.count), 0)::bigint AS lost, min(lost.since) AS lost_since
FROM gateway JOIN delivery d ON d.gateway_id = gateway.id LEFT JOIN place ON place.id = gateway.place_id
LEFT JOIN LATERAL (SELECT sum(size_of(loss.missing)) AS count, min(loss.noticed_at) AS since FROM loss
                   WHERE loss.epoch = d.epoch AND loss.lane = d.lane AND loss.ended_at IS NULL) AS lost ON true
WHERE (NOT d.vanished OR d.received <> int8multirange(int8range(1, d.given + 1)))
  AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND gateway.place_id IS NULL))
GROUP BY gateway.id, d.lane ORDER BY gateway.group_code, gateway.code, d.lane DESC;

-- standing: what /metrics tells, by lane
SELECT lane, sum(size_of(held))::bigint AS held, sum(size_of(missing))::bigint AS missing FROM delivery
WHERE received <> int8multirange(int8range(1, given + 1)) GROUP BY lane;

-- told: numbers that were told as missing and still are, by lane
SELECT lane, sum(size_of(missing))::bigint AS lost FROM loss WHERE ended_at IS NULL GROUP BY lane;

-- forget: what arrived after all is told of as long as readings are kept
DELETE FROM loss WHERE ended_at < %(cutoff)s;
