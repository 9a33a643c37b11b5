-- after: what was committed since an id, oldest first, with where it is
SELECT stream_event.id, stream_event.kind, stream_event.person_id, place.path, stream_event.data
FROM stream_event LEFT JOIN place ON place.id = stream_event.place_id
WHERE stream_event.id > %(after)s ORDER BY stream_event.id LIMIT %(limit)s;

-- replay: the same for one page: what concerns places, and what concerns the person alone as it stands now
SELECT id, kind, person_id, path, data FROM (
    (SELECT stream_event.id, stream_event.kind, stream_event.person_id, place.path, stream_event.data
     FROM stream_event LEFT JOIN place ON place.id = stream_event.place_id
     WHERE %(console)s AND stream_event.id > %(after)s AND stream_event.person_id IS NULL
     ORDER BY stream_event.id LIMIT %(limit)s)
    UNION ALL
    (SELECT mine.id, mine.kind, mine.person_id, NULL, mine.data
     FROM stream_event AS mine
     WHERE mine.id > %(after)s AND mine.person_id = %(person)s AND NOT EXISTS (
         SELECT FROM stream_event AS newer
         WHERE newer.person_id = mine.person_id AND newer.kind = mine.kind AND newer.key = mine.key AND newer.id > mine.id)
     ORDER BY mine.id LIMIT %(limit)s)
) AS missed ORDER BY id LIMIT %(limit)s;
