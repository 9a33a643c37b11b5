-- case_of: the incident of an offer, and who was asked
SELECT task.incident_id, offer.task_id, offer.person_id FROM offer JOIN task ON task.id = offer.task_id WHERE offer.id = %(id)s;

-- offer: one offer
SELECT id, task_id, person_id, wave, state, seen_at, expires_at FROM offer WHERE id = %(id)s;

-- insert: ask these people; who was asked already is not asked again
INSERT INTO offer (task_id, person_id, wave, state, distance_m, why, offered_at, expires_at)
SELECT %(task)s, person, %(wave)s, 'offered', distance, why, %(now)s, %(expires_at)s
FROM unnest(%(persons)s::uuid[], %(distances)s::float8[], %(whys)s::jsonb[]) AS asked (person, distance, why)
ON CONFLICT (task_id, person_id) DO NOTHING RETURNING id, person_id;

-- answer: the offer's state after an answer
UPDATE offer SET state = %(state)s, answered_at = %(now)s, seen_at = coalesce(seen_at, %(now)s) WHERE id = %(id)s;

-- seen: it was on the person's screen
UPDATE offer SET seen_at = %(now)s WHERE id = %(id)s AND seen_at IS NULL RETURNING id;

-- withdraw: nobody else is needed
UPDATE offer SET state = 'withdrawn', answered_at = %(now)s WHERE task_id = %(task)s AND state = 'offered' RETURNING id, person_id;

-- expire: unanswered for too long
UPDATE offer SET state = 'expired' WHERE task_id = %(task)s AND state = 'offered' AND expires_at <= %(now)s RETURNING id, person_id;

-- count: how many were asked, and how many of these can still answer
SELECT count(*) AS asked, count(*) FILTER (WHERE state = 'offered' AND expires_at > %(now)s) AS waiting FROM offer WHERE task_id = %(task)s;

-- assign: the task is this person's
INSERT INTO assignment (offer_id, task_id, person_id, state, accepted_at)
VALUES (%(offer)s, %(task)s, %(person)s, 'accepted', %(now)s)
ON CONFLICT (offer_id) DO UPDATE SET state = 'accepted', accepted_at = EXCLUDED.accepted_at, on_the_way_at = NULL,
    on_scene_at = NULL, ended_at = NULL WHERE assignment.state = 'released';

-- busy: whether a person has another task under way
SELECT EXISTS (SELECT FROM assignment WHERE person_id = %(person)s AND ended_at IS NULL AND task_id <> %(task)s) AS busy;

-- assignment: one assignment
SELECT offer_id, task_id, person_id, state, accepted_at, on_the_way_at, on_scene_at, ended_at, note FROM assignment WHERE offer_id = %(offer)s;

-- progress: the next state of an assignment
UPDATE assignment SET state = %(state)s, note = coalesce(%(note)s, note),
    on_the_way_at = CASE WHEN %(state)s IN ('on-the-way', 'on-scene', 'done') THEN coalesce(on_the_way_at, %(now)s) END,
    on_scene_at = CASE WHEN %(state)s IN ('on-scene', 'done') THEN coalesce(on_scene_at, %(now)s) ELSE on_scene_at END,
    ended_at = CASE WHEN %(state)s IN ('done', 'released') THEN %(now)s END
WHERE offer_id = %(offer)s;

-- tally: how the assignments of a task stand
SELECT count(*) FILTER (WHERE ended_at IS NULL) AS under_way, count(*) FILTER (WHERE state = 'done') AS done
FROM assignment WHERE task_id = %(task)s;

-- release_all: the task was called off
UPDATE assignment SET state = 'released', ended_at = %(now)s WHERE task_id = %(task)s AND ended_at IS NULL RETURNING offer_id, person_id;

-- candidates: everyone on duty in the street, near enough as far as it is known, with one of these roles, who was not asked
-- yet and has no task under way
SELECT responder.person_id, person.name, responder.skills, responder.lat, responder.lon, responder.located_at,
       responder.post_lat, responder.post_lon,
       bool_or(place.path = %(path)s OR %(path)s LIKE place.path || '/%%') AS at_home,
       coalesce((SELECT count(*) FROM offer WHERE offer.person_id = responder.person_id AND offered_at > %(week)s), 0) AS offers_week,
       coalesce((SELECT count(*) FROM offer WHERE offer.person_id = responder.person_id AND offered_at > %(week)s
                 AND state = 'accepted'), 0) AS accepted_week
FROM responder JOIN person ON person.id = responder.person_id
JOIN role_grant ON role_grant.person_id = responder.person_id AND role_grant.role = ANY (%(roles)s::text[])
JOIN place ON place.id = role_grant.place_id
WHERE responder.on_duty AND person.disabled_at IS NULL
  AND (place.path = %(street)s OR place.path LIKE %(street)s || '/%%')
  AND (%(south)s::float8 IS NULL OR responder.post_lat IS NULL
       OR responder.lat BETWEEN %(south)s AND %(north)s AND responder.lon BETWEEN %(west)s AND %(east)s
       OR responder.post_lat BETWEEN %(south)s AND %(north)s AND responder.post_lon BETWEEN %(west)s AND %(east)s)
  AND NOT EXISTS (SELECT FROM offer WHERE offer.task_id = %(task)s::bigint AND offer.person_id = responder.person_id)
  AND NOT EXISTS (SELECT FROM assignment WHERE assignment.person_id = responder.person_id AND assignment.ended_at IS NULL)
GROUP BY responder.person_id, person.name
ORDER BY responder.person_id;

-- operators: who watches over a place
SELECT DISTINCT role_grant.person_id FROM role_grant JOIN place ON place.id = role_grant.place_id
JOIN person ON person.id = role_grant.person_id
WHERE role_grant.role = 'operator' AND person.disabled_at IS NULL AND place.path = ANY (%(above)s::text[]);

-- ask_again: those who were told to stand down, or came too late, are asked once more, for as long as at first
UPDATE offer SET state = 'offered', answered_at = NULL, offered_at = %(now)s, expires_at = %(now)s + (expires_at - offered_at)
WHERE task_id = %(task)s AND state IN ('withdrawn', 'late')
RETURNING id, person_id, expires_at;
