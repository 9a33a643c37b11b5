-- alarms: alarms as pages show them
SELECT alarm.id, alarm.rule_code, alarm.severity, alarm.response, alarm.cleared_at, alarm.acknowledged_at, alarm.place_id, alarm.reason,
       alarm.raised_at, alarm.committed_at, alarm.repeats, alarm.incident_id,
       (incident.policy ->> 'target_s')::float8 AS target_s, acknowledger.name AS acknowledged_by, alarm.acknowledged_by AS acknowledged_by_id,
       device.id AS device_id, device.code AS device_code, device.type AS device_type, device.name AS device_name
FROM alarm JOIN device ON device.id = alarm.device_id
LEFT JOIN incident ON incident.id = alarm.incident_id
LEFT JOIN person AS acknowledger ON acknowledger.id = alarm.acknowledged_by
WHERE alarm.id = ANY (%(ids)s::bigint[])
ORDER BY alarm.severity, alarm.acknowledged_at IS NOT NULL, alarm.raised_at;

-- open_alarms: ids of alarms that are active or unacknowledged, at these paths and below
SELECT alarm.id FROM alarm LEFT JOIN place ON place.id = alarm.place_id
WHERE (alarm.cleared_at IS NULL OR alarm.acknowledged_at IS NULL) AND alarm.walk_test_id IS NULL
  AND (%(queue)s::text IS NULL OR (alarm.response = 'device') = (%(queue)s = 'device'))
  AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND alarm.place_id IS NULL))
ORDER BY alarm.severity, alarm.acknowledged_at IS NOT NULL, alarm.raised_at LIMIT %(limit)s;

-- incident_alarms: ids of the alarms of an incident
SELECT id FROM alarm WHERE incident_id = %(incident)s ORDER BY id LIMIT %(limit)s;

-- incidents: incidents as pages show them
SELECT incident.id, incident.kind, incident.severity, incident.response, incident.state, incident.place_id, incident.opened_at,
       incident.closed_at, incident.outcome, (incident.policy ->> 'volunteers')::boolean AS volunteers,
       alarms.count AS alarms, alarms.unacknowledged,
       task.id AS task_id, task.kind AS task_kind, task.state AS task_state, task.wanted, task.wave,
       asked.offered, people.accepted, people.on_the_way, people.on_scene, people.done
FROM incident
LEFT JOIN LATERAL (SELECT count(*), count(*) FILTER (WHERE acknowledged_at IS NULL) AS unacknowledged
                   FROM alarm WHERE alarm.incident_id = incident.id) AS alarms ON true
LEFT JOIN LATERAL (SELECT * FROM task WHERE task.incident_id = incident.id ORDER BY id DESC LIMIT 1) AS task ON true
LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'offered') AS offered FROM offer WHERE offer.task_id = task.id) AS asked ON true
LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'accepted') AS accepted, count(*) FILTER (WHERE state = 'on-the-way') AS on_the_way,
                          count(*) FILTER (WHERE state = 'on-scene') AS on_scene, count(*) FILTER (WHERE state = 'done') AS done
                   FROM assignment WHERE assignment.task_id = task.id) AS people ON true
WHERE incident.id = ANY (%(ids)s::bigint[])
ORDER BY incident.closed_at IS NOT NULL, incident.severity, incident.opened_at DESC;

-- open_incidents: ids of incidents at these paths and below
SELECT incident.id FROM incident LEFT JOIN place ON place.id = incident.place_id
WHERE (NOT %(open)s OR incident.closed_at IS NULL)
  AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND incident.place_id IS NULL))
ORDER BY incident.closed_at IS NOT NULL, incident.severity, incident.id DESC LIMIT %(limit)s;

-- offers_of: every offer of an incident
SELECT offer.id, offer.person_id, person.name, offer.state, offer.wave, offer.distance_m, offer.why, offer.offered_at, offer.expires_at,
       offer.seen_at, offer.answered_at
FROM offer JOIN task ON task.id = offer.task_id JOIN person ON person.id = offer.person_id
WHERE task.incident_id = %(incident)s ORDER BY offer.wave, offer.distance_m NULLS LAST, offer.id;

-- assignments_of: every assignment of an incident
SELECT assignment.offer_id, assignment.person_id, person.name, assignment.state, assignment.accepted_at, assignment.on_the_way_at,
       assignment.on_scene_at, assignment.ended_at, assignment.note
FROM assignment JOIN task ON task.id = assignment.task_id JOIN person ON person.id = assignment.person_id
WHERE task.incident_id = %(incident)s ORDER BY assignment.accepted_at, assignment.offer_id;

-- timeline_of: everything about an incident, in order
SELECT timeline.id, timeline.at, timeline.kind, timeline.person_id, person.name, timeline.data
FROM timeline LEFT JOIN person ON person.id = timeline.person_id
WHERE timeline.incident_id = %(incident)s ORDER BY timeline.id LIMIT %(limit)s;

-- offers: offers as the person who is asked sees them
SELECT offer.id, offer.person_id, offer.state, offer.distance_m, offer.why, offer.offered_at, offer.expires_at, offer.answered_at,
       incident.kind, incident.severity, incident.response, incident.place_id, incident.closed_at
FROM offer JOIN task ON task.id = offer.task_id JOIN incident ON incident.id = task.incident_id
WHERE offer.id = ANY (%(ids)s::uuid[]) ORDER BY offer.offered_at DESC;

-- offers_to: ids of a person's open offers and those answered in the last hour
SELECT id FROM offer WHERE person_id = %(person)s AND (state = 'offered' OR coalesce(answered_at, expires_at) > %(since)s)
ORDER BY offered_at DESC LIMIT 50;

-- assignments: assignments as the person who has them sees them
SELECT assignment.offer_id, assignment.person_id, assignment.state, assignment.accepted_at, assignment.on_the_way_at, assignment.on_scene_at,
       assignment.ended_at, incident.id AS incident_id, incident.kind, incident.severity, incident.response, incident.place_id,
       incident.closed_at
FROM assignment JOIN task ON task.id = assignment.task_id JOIN incident ON incident.id = task.incident_id
WHERE assignment.offer_id = ANY (%(offers)s::uuid[]);

-- assignment_of: the assignment that a person has under way, else the one that ended in the last hour
SELECT offer_id FROM assignment WHERE person_id = %(person)s AND (ended_at IS NULL OR ended_at > %(since)s)
ORDER BY ended_at IS NOT NULL, accepted_at DESC LIMIT 1;

-- week: what a person did in seven days, and the thanks so far
SELECT (SELECT count(*) FROM offer WHERE person_id = %(person)s AND offered_at > %(week)s) AS offers,
       (SELECT count(*) FROM assignment WHERE person_id = %(person)s AND accepted_at > %(week)s) AS accepted,
       (SELECT coalesce(sum(extract(epoch FROM ended_at - accepted_at)) / 60, 0) FROM assignment
        WHERE person_id = %(person)s AND accepted_at > %(week)s AND state = 'done') AS minutes,
       (SELECT count(*) FROM assignment WHERE person_id = %(person)s AND state = 'done') AS thanks;

-- responders: people who can be asked, at these paths and below
SELECT responder.person_id, person.name, responder.on_duty, responder.lat, responder.lon, responder.located_at, responder.post_lat,
       responder.post_lon, home.place_id, doing.state AS assignment_state, doing.incident_id,
       EXISTS (SELECT FROM offer WHERE offer.person_id = responder.person_id AND offer.state = 'offered') AS offered
FROM responder JOIN person ON person.id = responder.person_id
JOIN LATERAL (SELECT role_grant.place_id, place.path FROM role_grant JOIN place ON place.id = role_grant.place_id
              WHERE role_grant.person_id = responder.person_id AND role_grant.role IN ('volunteer', 'grid-worker')
              ORDER BY length(place.path), place.id LIMIT 1) AS home ON true
LEFT JOIN LATERAL (SELECT assignment.state, task.incident_id FROM assignment JOIN task ON task.id = assignment.task_id
                   WHERE assignment.person_id = responder.person_id AND assignment.ended_at IS NULL) AS doing ON true
WHERE person.disabled_at IS NULL AND (%(persons)s::uuid[] IS NULL OR responder.person_id = ANY (%(persons)s))
  AND (%(everywhere)s OR home.path = ANY (%(paths)s::text[]) OR home.path LIKE ANY (%(below)s::text[]) OR home.path = ANY (%(above)s::text[]))
ORDER BY responder.on_duty DESC, responder.person_id LIMIT %(limit)s;

-- overview: the numbers at the top of the console
SELECT
    (SELECT jsonb_object_agg(severity, count) FROM (
        SELECT incident.severity, count(*) FROM incident LEFT JOIN place ON place.id = incident.place_id
        WHERE incident.closed_at IS NULL
          AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND incident.place_id IS NULL))
        GROUP BY incident.severity) AS per_severity) AS open,
    (SELECT count(*) FROM alarm LEFT JOIN place ON place.id = alarm.place_id
     WHERE alarm.acknowledged_at IS NULL AND alarm.walk_test_id IS NULL
       AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND alarm.place_id IS NULL))) AS unacknowledged,
    (SELECT jsonb_build_object('online', count(*) FILTER (WHERE gateway.online), 'total', count(*)) FROM gateway
     LEFT JOIN place ON place.id = gateway.place_id
     WHERE place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR (%(unplaced)s AND gateway.place_id IS NULL)) AS gateways,
    (SELECT jsonb_build_object('online', count(*) FILTER (WHERE device.online), 'total', count(*)) FROM device
     LEFT JOIN place ON place.id = device.place_id
     WHERE device.code <> '' AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[])
                                  OR (%(unplaced)s AND device.place_id IS NULL))) AS devices,
    (SELECT jsonb_build_object('on_duty', count(*) FILTER (WHERE responder.on_duty OR under_way), 'total', count(*))
     FROM responder JOIN person ON person.id = responder.person_id,
          LATERAL (SELECT EXISTS (SELECT FROM assignment WHERE assignment.person_id = responder.person_id AND assignment.ended_at IS NULL)) AS doing (under_way)
     WHERE person.disabled_at IS NULL AND EXISTS (
         SELECT FROM role_grant JOIN place ON place.id = role_grant.place_id
         WHERE role_grant.person_id = responder.person_id AND role_grant.role IN ('volunteer', 'grid-worker')
           AND (place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR place.path = ANY (%(above)s::text[])))) AS responders,
    (SELECT id FROM stream_head) AS newest;
