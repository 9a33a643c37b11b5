-- lock_states: rule states of these conditions, locked in the order of their keys
SELECT rule_code, device_id, phase, since_ms, at_ms, reason FROM rule_state
WHERE (rule_code, device_id) IN (SELECT * FROM unnest(%(codes)s::text[], %(devices)s::int[]))
ORDER BY rule_code, device_id FOR UPDATE;

-- save_states: write rule states
INSERT INTO rule_state (rule_code, device_id, phase, since_ms, at_ms, reason)
SELECT * FROM unnest(%(codes)s::text[], %(devices)s::int[], %(phases)s::text[], %(since)s::bigint[], %(at)s::bigint[], %(reasons)s::jsonb[])
ON CONFLICT (rule_code, device_id) DO UPDATE
SET phase = EXCLUDED.phase, since_ms = EXCLUDED.since_ms, at_ms = EXCLUDED.at_ms, reason = EXCLUDED.reason;

-- put_builtin: a rule of the program; one that a person has switched off stays off
INSERT INTO rule (code, body, builtin) VALUES (%(code)s, %(body)s, true)
ON CONFLICT (code) DO UPDATE SET body = EXCLUDED.body, changed_at = now() WHERE rule.builtin AND rule.body <> EXCLUDED.body;

-- rules: the rules in force
SELECT code, body FROM rule WHERE enabled ORDER BY code;

-- subject: the device that a condition is on
SELECT device.id AS device_id, device.gateway_id, coalesce(device.place_id, gateway.place_id) AS place_id
FROM device JOIN gateway ON gateway.id = device.gateway_id WHERE device.id = %(device)s;

-- subjects: the devices of a gateway
SELECT id AS device_id, gateway_id, place_id FROM device WHERE gateway_id = %(gateway)s AND place_id IS NOT NULL;

-- silent: whether a gateway has an active alarm for being away
SELECT EXISTS (SELECT FROM alarm JOIN device ON device.id = alarm.device_id
               WHERE device.gateway_id = %(gateway)s AND alarm.rule_code = 'gateway-offline' AND alarm.cleared_at IS NULL) AS silent;

-- suppressed: conditions of a gateway's devices that fire without an active alarm
SELECT state.rule_code, state.device_id FROM rule_state AS state JOIN device ON device.id = state.device_id
WHERE state.rule_code = %(rule)s AND device.gateway_id = %(gateway)s AND state.phase = 'firing' AND NOT EXISTS (
    SELECT FROM alarm WHERE alarm.rule_code = state.rule_code AND alarm.device_id = state.device_id AND alarm.cleared_at IS NULL);

-- hold_grouping: one transaction at a time opens incidents below this community
SELECT pg_advisory_xact_lock(hashtextextended('incident/' || %(path)s, 0));

-- open_incidents: open ones of this kind or class at a path and below, newest first
SELECT incident.id, incident.kind, incident.response, incident.state, incident.opened_at, incident.place_id
FROM incident LEFT JOIN place ON place.id = incident.place_id
WHERE incident.closed_at IS NULL AND (incident.kind = %(kind)s OR incident.response = %(response)s)
  AND (place.path = %(within)s OR place.path LIKE %(within)s || '/%%' OR (incident.place_id IS NULL AND %(within)s = ''))
ORDER BY incident.id DESC LIMIT 200;

-- insert_alarm: a new active alarm
INSERT INTO alarm (rule_code, device_id, place_id, severity, response, reason, raised_at, committed_at, incident_id, walk_test_id)
VALUES (%(rule)s, %(device)s, %(place)s, %(severity)s, %(response)s, %(reason)s, %(raised_at)s, %(now)s, %(incident)s, %(test)s)
RETURNING id;

-- repeat: the condition of an active alarm was told once more
UPDATE alarm SET repeats = repeats + 1, reason = %(reason)s WHERE rule_code = %(rule)s AND device_id = %(device)s AND cleared_at IS NULL
RETURNING id, walk_test_id;

-- active: the active alarm of a condition
SELECT id, incident_id, walk_test_id FROM alarm WHERE rule_code = %(rule)s AND device_id = %(device)s AND cleared_at IS NULL;

-- clear: the condition of an alarm is gone
UPDATE alarm SET cleared_at = %(at)s, cleared_reason = %(reason)s WHERE id = %(id)s AND cleared_at IS NULL RETURNING id;

-- clear_ended: with its incident ends what nothing else would clear; a condition that still holds stays active until it is gone
UPDATE alarm SET cleared_at = %(now)s, cleared_reason = %(reason)s
WHERE incident_id = %(incident)s AND cleared_at IS NULL AND NOT EXISTS (
    SELECT FROM rule_state JOIN rule ON rule.code = rule_state.rule_code
    WHERE rule_state.rule_code = alarm.rule_code AND rule_state.device_id = alarm.device_id AND rule.enabled
      AND rule_state.phase IN ('firing', 'clearing')
      AND (rule.body #>> '{when,type}' <> 'event' OR rule.body #>> '{when,clear_kind}' IS NOT NULL))
RETURNING id;

-- acknowledge: somebody has seen these alarms
UPDATE alarm SET acknowledged_at = %(now)s, acknowledged_by = %(person)s
WHERE (id = %(alarm)s OR incident_id = %(incident)s) AND acknowledged_at IS NULL RETURNING id;

-- incident_of: the incident of an alarm, and where it is
SELECT alarm.incident_id, alarm.place_id FROM alarm WHERE alarm.id = %(id)s;

-- active_count: how many alarms of an incident are still active
SELECT count(*) AS active FROM alarm WHERE incident_id = %(incident)s AND cleared_at IS NULL;

-- begin_states: the first states of conditions that were never judged before
INSERT INTO rule_state (rule_code, device_id, phase, since_ms, at_ms, reason)
SELECT * FROM unnest(%(codes)s::text[], %(devices)s::int[], %(phases)s::text[], %(since)s::bigint[], %(at)s::bigint[], %(reasons)s::jsonb[])
ON CONFLICT (rule_code, device_id) DO NOTHING;
