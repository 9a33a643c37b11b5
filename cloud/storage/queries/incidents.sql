-- lock: the incident, locked; it is the one lock of a case: whoever changes its alarms, task or offers holds it
SELECT id, kind, severity, response, place_id, state, policy, opened_at, closed_at FROM incident WHERE id = %(id)s FOR UPDATE;

-- insert: a new incident
INSERT INTO incident (kind, severity, response, place_id, state, policy, opened_at)
VALUES (%(kind)s, %(severity)s, %(response)s, %(place)s, 'filed', %(policy)s, %(now)s) RETURNING id;

-- worsen: it is as severe as its worst alarm
UPDATE incident SET severity = least(severity, %(severity)s) WHERE id = %(id)s;

-- move: its next state
UPDATE incident SET state = %(state)s, closed_at = %(closed_at)s, outcome = %(outcome)s WHERE id = %(id)s;

-- note: one more line of the timeline
INSERT INTO timeline (incident_id, at, kind, person_id, data) VALUES (%(incident)s, %(now)s, %(kind)s, %(person)s, %(data)s);

-- insert_task: what is to be done
INSERT INTO task (incident_id, kind, wanted, state, created_at) VALUES (%(incident)s, %(kind)s, %(wanted)s, 'open', %(now)s) RETURNING id;

-- task: the newest task of an incident
SELECT id, kind, wanted, state, wave, created_at, ended_at FROM task WHERE incident_id = %(incident)s ORDER BY id DESC LIMIT 1;

-- move_task: the task's state
UPDATE task SET state = %(state)s, ended_at = %(ended_at)s WHERE id = %(id)s;

-- next_wave: one more wave was sent
UPDATE task SET wave = %(wave)s WHERE id = %(id)s;

-- case_of_task: the incident of a task
SELECT incident_id FROM task WHERE id = %(id)s;

-- escalations: how often the next level was told
SELECT count(*) AS times FROM timeline WHERE incident_id = %(incident)s AND kind = 'escalated';

-- read: the incident as it is now
SELECT id, kind, severity, response, place_id, state, policy, opened_at, closed_at FROM incident WHERE id = %(id)s;
