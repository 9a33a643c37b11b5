-- after: what was committed since an id, oldest first, with where it is
SELECT stream_event.id, stream_event.kind, stream_event.person_id, place.path, stream_event.data
FROM stream_event LEFT JOIN place ON place.id = stream_event.place_id
WHERE stream_event.id > %(after)s ORDER BY stream_event.id LIMIT %(limit)s;
