-- begin_action: claim a client's action id; no row when it was claimed before
INSERT INTO client_action (id, person_id, at, answer) VALUES (%(id)s, %(person)s, %(now)s, 'null') ON CONFLICT (id) DO NOTHING;

-- action: the answer that an action got
SELECT person_id, answer FROM client_action WHERE id = %(id)s;

-- end_action: keep the answer
UPDATE client_action SET answer = %(answer)s WHERE id = %(id)s;

-- lock_responder: one claim of a person at a time
SELECT person_id FROM responder WHERE person_id = %(person)s FOR UPDATE;

-- by_login: who signs in with this name
SELECT id, login, name, language, password_hash FROM person WHERE login = %(login)s AND disabled_at IS NULL;

-- by_session: who holds this session
SELECT person.id, person.login, person.name, person.language, session.expires_at FROM session
JOIN person ON person.id = session.person_id
WHERE session.token_hash = %(hash)s AND session.expires_at > %(now)s AND person.disabled_at IS NULL;

-- roles: what a person may, and where
SELECT role_grant.role, place.id AS place_id, place.path, place.name FROM role_grant JOIN place ON place.id = role_grant.place_id
WHERE role_grant.person_id = %(person)s ORDER BY place.path, role_grant.role;

-- use_link: a sign-in link works once
UPDATE signin_link SET used_at = %(now)s WHERE token_hash = %(hash)s AND used_at IS NULL AND expires_at > %(now)s RETURNING person_id;

-- insert_link: a new sign-in link
INSERT INTO signin_link (token_hash, person_id, expires_at) VALUES (%(hash)s, %(person)s, %(expires_at)s);

-- insert_session: signed in
INSERT INTO session (token_hash, person_id, created_at, expires_at) VALUES (%(hash)s, %(person)s, %(now)s, %(expires_at)s);

-- delete_session: signed out
DELETE FROM session WHERE token_hash = %(hash)s;

-- delete_other_sessions: a new password ends the other sessions
DELETE FROM session WHERE person_id = %(person)s AND token_hash <> %(hash)s;

-- set_password: argon2id
UPDATE person SET password_hash = %(password)s WHERE id = %(person)s;

-- set_language: of pages and messages
UPDATE person SET language = %(language)s WHERE id = %(person)s;

-- audit: who did what
INSERT INTO audit (at, person_id, action, subject, place_id, detail, address)
VALUES (%(now)s, %(person)s, %(action)s, %(subject)s, %(place)s, %(detail)s, %(address)s);

-- audit_view: who looked at what; again within the time that `since` begins is the same look
INSERT INTO audit (at, person_id, action, subject, place_id, detail, address)
SELECT %(now)s, %(person)s, %(action)s, %(subject)s, %(place)s, %(detail)s, %(address)s
WHERE NOT EXISTS (SELECT FROM audit WHERE person_id = %(person)s AND at > %(since)s AND action = %(action)s
                  AND subject IS NOT DISTINCT FROM %(subject)s AND address IS NOT DISTINCT FROM %(address)s);

-- responder: whether a person can be asked
SELECT on_duty, lat, lon, located_at FROM responder WHERE person_id = %(person)s;

-- set_duty: on or off duty; off duty the position is forgotten
UPDATE responder SET on_duty = %(on_duty)s, lat = CASE WHEN %(on_duty)s THEN lat END, lon = CASE WHEN %(on_duty)s THEN lon END,
    located_at = CASE WHEN %(on_duty)s THEN located_at END WHERE person_id = %(person)s;

-- set_position: the last foreground fix, kept only on duty
UPDATE responder SET lat = %(lat)s, lon = %(lon)s, located_at = %(now)s WHERE person_id = %(person)s AND on_duty;

-- everyone: who can sign in, with their roles
SELECT person.login, person.name, coalesce(array_agg(DISTINCT role_grant.role ORDER BY role_grant.role)
       FILTER (WHERE role_grant.role IS NOT NULL), '{}') AS roles
FROM person LEFT JOIN role_grant ON role_grant.person_id = person.id
WHERE person.disabled_at IS NULL GROUP BY person.id ORDER BY person.created_at, person.login;
