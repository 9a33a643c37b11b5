-- covering: the walk test of a gateway in which both moments lie, and which did not end long ago
SELECT id FROM walk_test
WHERE gateway_id = %(gateway)s AND from_at <= %(first)s AND %(last)s < coalesce(ended_at, due_at)
  AND %(ended_after)s < coalesce(ended_at, due_at)
ORDER BY from_at DESC LIMIT 1;

-- active: conditions whose active alarm is of this walk test
SELECT rule_code, device_id FROM alarm WHERE walk_test_id = %(test)s AND cleared_at IS NULL ORDER BY rule_code, device_id;

-- clear: the alarms of this walk test end
UPDATE alarm SET cleared_at = %(now)s, cleared_reason = %(reason)s WHERE walk_test_id = %(test)s AND cleared_at IS NULL;

-- clear_stale: an alarm of a walk test to which what is told now does not belong
UPDATE alarm SET cleared_at = %(at)s, cleared_reason = %(reason)s FROM walk_test
WHERE walk_test.id = alarm.walk_test_id AND alarm.rule_code = %(rule)s AND alarm.device_id = %(device)s AND alarm.cleared_at IS NULL
  AND (NOT %(testable)s OR %(at)s < walk_test.from_at
       OR greatest(%(at)s, %(ended_after)s) >= coalesce(walk_test.ended_at, walk_test.due_at))
RETURNING alarm.walk_test_id;

-- told: whose page shows these walk tests
SELECT walk_test.id, walk_test.person_id, gateway.group_code, gateway.code FROM walk_test JOIN gateway ON gateway.id = walk_test.gateway_id
WHERE walk_test.id = ANY (%(tests)s::uuid[]) AND walk_test.person_id IS NOT NULL ORDER BY walk_test.id;

-- gateway: a gateway by its name, with its place
SELECT gateway.id, gateway.group_code, gateway.code, gateway.name, gateway.online, gateway.place_id, place.path
FROM gateway LEFT JOIN place ON place.id = gateway.place_id WHERE group_code = %(group)s AND gateway.code = %(code)s;

-- reaches: where the devices of a gateway hang
SELECT DISTINCT place.path FROM device JOIN place ON place.id = device.place_id WHERE device.gateway_id = %(gateway)s ORDER BY place.path;

-- hold: one change of a gateway's walk tests at a time
SELECT pg_advisory_xact_lock(hashtextextended('walk-test/' || %(gateway)s, 0));

-- ask: somebody at the gateway wants one; while one is open this changes nothing
INSERT INTO walk_test (id, gateway_id, minutes, state, asked_at) VALUES (%(id)s, %(gateway)s, %(minutes)s, 'asked', %(now)s)
ON CONFLICT DO NOTHING;

-- open: the walk test of a gateway that is asked for or runs
SELECT * FROM walk_test WHERE gateway_id = %(gateway)s AND state <> 'over';

-- by_id: a walk test
SELECT * FROM walk_test WHERE id = %(id)s;

-- lock: a walk test, with its gateway
SELECT walk_test.*, gateway.group_code, gateway.code AS gateway_code, gateway.place_id, gateway.online,
       (SELECT alias.alias FROM alias JOIN device ON device.id = alias.device_id
        WHERE alias.gateway_id = gateway.id AND device.code = '' AND alias.metric = %(metric)s) AS alias
FROM walk_test JOIN gateway ON gateway.id = walk_test.gateway_id WHERE walk_test.id = %(id)s FOR UPDATE OF walk_test;

-- begin: it runs from now on
INSERT INTO walk_test (id, gateway_id, minutes, state, asked_at, person_id, from_at, due_at)
VALUES (%(id)s, %(gateway)s, %(minutes)s, 'running', %(now)s, %(person)s, %(now)s, %(due_at)s)
ON CONFLICT (id) DO UPDATE
SET state = 'running', minutes = excluded.minutes, person_id = excluded.person_id, from_at = excluded.from_at, due_at = excluded.due_at
WHERE walk_test.state = 'asked' AND walk_test.gateway_id = excluded.gateway_id;

-- over: it is over; one that nobody agreed to never was
UPDATE walk_test SET state = 'over', ended_at = least(%(now)s, coalesce(due_at, %(now)s)),
       outcome = CASE WHEN person_id IS NULL THEN 'unanswered' WHEN %(now)s < due_at THEN 'stopped' ELSE 'due' END
WHERE id = %(id)s AND state <> 'over';

-- subjects: the devices of a walk test's gateway and where they hang
SELECT device.id AS device_id, device.gateway_id, coalesce(device.place_id, gateway.place_id) AS place_id
FROM device JOIN gateway ON gateway.id = device.gateway_id JOIN walk_test ON walk_test.gateway_id = gateway.id
WHERE walk_test.id = %(test)s AND (device.place_id IS NOT NULL OR device.code = '');

-- ticks: what each device of a gateway showed in a walk test: an alarm, else an event, else a reading
SELECT device.id AS device_id, tick.result, tick.what, tick.at
FROM walk_test JOIN device ON device.gateway_id = walk_test.gateway_id AND device.code <> ''
CROSS JOIN LATERAL (
    SELECT 1 AS rank, 'alarm' AS result, alarm.rule_code AS what, alarm.raised_at AS at FROM alarm
    WHERE alarm.walk_test_id = walk_test.id AND alarm.device_id = device.id
    UNION ALL
    SELECT 2, 'event', event.kind, event.ts FROM event
    WHERE event.device_id = device.id AND event.ts >= walk_test.from_at AND event.ts < coalesce(walk_test.ended_at, walk_test.due_at)
      AND event.kind !~ '^(device|command|config|agent|outbox)[.]'
    UNION ALL
    SELECT 3, 'heard', series.metric, latest.ts FROM series JOIN latest ON latest.series_id = series.id
    WHERE series.device_id = device.id AND latest.ts >= walk_test.from_at AND latest.ts < coalesce(walk_test.ended_at, walk_test.due_at)
    ORDER BY rank, at LIMIT 1) AS tick
WHERE walk_test.id = %(test)s;

-- keep: what it found, for as long as the device is known
INSERT INTO device_test (walk_test_id, device_id, result, what, at)
SELECT %(test)s, * FROM unnest(%(devices)s::int[], %(results)s::text[], %(whats)s::text[], %(ats)s::timestamptz[])
ON CONFLICT (walk_test_id, device_id) DO UPDATE SET result = excluded.result, what = excluded.what, at = excluded.at;

-- alarms: the alarms of a walk test, newest first
SELECT alarm.id, alarm.rule_code, alarm.severity, alarm.device_id, alarm.raised_at, alarm.cleared_at FROM alarm
WHERE alarm.walk_test_id = %(test)s ORDER BY alarm.id DESC LIMIT 200;
