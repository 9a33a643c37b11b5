-- claim: the next timer whose time has come and that no other worker holds
SELECT id, kind, ref, due_at, attempts FROM due WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- set: a timer; one of this kind and reference that exists already stays as it is
INSERT INTO due (kind, ref, due_at) VALUES (%(kind)s, %(ref)s, %(at)s) ON CONFLICT (kind, ref) DO NOTHING;

-- finish: it was dealt with
DELETE FROM due WHERE id = %(id)s;

-- again: look again later
UPDATE due SET due_at = %(at)s, attempts = 0, error = NULL WHERE id = %(id)s;

-- failed: try again later, and say why
UPDATE due SET due_at = %(at)s, attempts = attempts + 1, error = %(error)s WHERE id = %(id)s;

-- next: when the next timer will be due, and whether there are any whose time has come: others hold them
SELECT (SELECT min(due_at) FROM due WHERE due_at > %(now)s) AS at, EXISTS (SELECT FROM due WHERE due_at <= %(now)s) AS held;
