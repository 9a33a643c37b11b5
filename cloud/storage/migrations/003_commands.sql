-- Commands down: what a person wants an output of a device to do, and what became of it (docs/decisions/0012).

CREATE TABLE command (
    id          uuid PRIMARY KEY,                                    -- given by the client: the same tap is the same command
    device_id   integer NOT NULL REFERENCES device,
    output      text NOT NULL,
    value       jsonb NOT NULL,
    person_id   uuid NOT NULL REFERENCES person,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,                                -- after this nothing is asked or confirmed any more
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'done', 'refused', 'expired')),
    sent_at     timestamptz,
    ticket      uuid,                                                -- the gateway's first; no other one is ever confirmed
    answered_at timestamptz,                                         -- by the gateway's clock of the outcome's event
    error       jsonb                                                -- {"code", "params"}
);
CREATE INDEX command_device ON command (device_id, created_at DESC);
