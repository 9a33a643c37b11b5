-- What gateways are to run, and what they say that they run (docs/decisions/0014).

CREATE TABLE configuration (                                         -- a version that a person wants; its text never changes
    id         uuid PRIMARY KEY,                                     -- given by the client: the same tap is the same version
    gateway_id integer NOT NULL REFERENCES gateway,
    number     integer NOT NULL CHECK (number > 0),
    hash       text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),        -- of the content without comments
    text       text NOT NULL,
    hold_s     integer NOT NULL CHECK (hold_s > 0),                  -- uplink and devices have this long to come back
    person_id  uuid NOT NULL REFERENCES person,
    created_at timestamptz NOT NULL,
    state      text NOT NULL DEFAULT 'queued'
               CHECK (state IN ('queued', 'sent', 'trying', 'confirmed', 'refused', 'rolled-back', 'superseded')),
    ticket     uuid,                                                 -- the gateway's newest
    changed_at timestamptz NOT NULL,
    error      jsonb,                                                -- {"code", "params"}
    UNIQUE (gateway_id, number)
);
CREATE UNIQUE INDEX configuration_open ON configuration (gateway_id) WHERE state IN ('queued', 'sent', 'trying');

CREATE TABLE reported_configuration (                                -- what a gateway said last that it runs
    gateway_id integer PRIMARY KEY REFERENCES gateway,
    number     integer NOT NULL,                                     -- 0: written on the spot
    hash       text NOT NULL,
    text       text,                                                 -- null: not told yet; without comments if number is 0
    pieces     jsonb NOT NULL DEFAULT '{}',                          -- of a text that is still arriving
    at         timestamptz NOT NULL                                  -- by the gateway's clock
);
