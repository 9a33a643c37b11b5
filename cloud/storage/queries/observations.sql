-- append_events: what happened
INSERT INTO event (event_id, device_id, ts, received_at, kind, data)
SELECT event_id, device_id, to_timestamp(at_ms / 1000.0), to_timestamp(%(received_ms)s::bigint / 1000.0), kind, data
FROM unnest(%(event_ids)s::uuid[], %(devices)s::integer[], %(at_ms)s::bigint[], %(kinds)s::text[], %(data)s::jsonb[])
    AS given (event_id, device_id, at_ms, kind, data);

-- insert_poison: a message that cannot be read, raw
INSERT INTO poison (topic, message, payload, code, params)
VALUES (%(topic)s, %(message)s, %(payload)s, %(code)s, %(params)s);
