-- What a person alone is told, by what it is about: a page that comes back gets the newest state of each.
CREATE INDEX stream_event_person ON stream_event (person_id, kind, key, id) WHERE person_id IS NOT NULL;
-- Who looked at what: a view that is repeated within minutes is one row.
CREATE INDEX audit_person ON audit (person_id, at DESC);
-- A repeated tap gets its assignment as it stands then: of kept answers the address goes.
UPDATE client_action SET answer = jsonb_set(answer, '{assignment}', answer #> '{assignment,offer_id}')
WHERE answer #> '{assignment,offer_id}' IS NOT NULL;
