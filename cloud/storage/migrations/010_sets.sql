-- Who may open which door, the rules that gateways judge by themselves, and what of both is delivered (docs/decisions/0018).

CREATE TABLE access_schedule (                                       -- hours per day of the week, for cardholders at its place and below
    code     text PRIMARY KEY CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    place_id integer NOT NULL REFERENCES place,
    hours    jsonb NOT NULL                                          -- protocols.access.cardholders.Schedule
);
CREATE TABLE access_holiday (                                        -- for gateways at its place and below
    place_id integer NOT NULL REFERENCES place,
    day      date NOT NULL,
    PRIMARY KEY (place_id, day)
);
CREATE TABLE cardholder (                                            -- somebody with a card; no more about them than doors need
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code            text NOT NULL UNIQUE CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),  -- events at doors name it
    place_id        integer NOT NULL REFERENCES place,               -- whose doors, at it and below
    name            text NOT NULL DEFAULT '',                        -- or a note, or nothing; never leaves the database
    schedule        text REFERENCES access_schedule,                 -- null: always
    valid_from      date,
    valid_until     date,
    enabled         boolean NOT NULL DEFAULT true,
    passback_exempt boolean NOT NULL DEFAULT false,
    changed_at      timestamptz NOT NULL,
    changed_by      uuid REFERENCES person
);
CREATE INDEX cardholder_place ON cardholder (place_id, code);
CREATE TABLE cardholder_card (
    card          text PRIMARY KEY,                                  -- as protocols.access.wiegand writes it: one owner in the street
    cardholder_id integer NOT NULL REFERENCES cardholder ON DELETE CASCADE,
    duress        boolean NOT NULL DEFAULT false
);
CREATE INDEX cardholder_card_owner ON cardholder_card (cardholder_id);
CREATE TABLE cardholder_door (                                       -- only these; none: every door at the place and below
    cardholder_id integer NOT NULL REFERENCES cardholder ON DELETE CASCADE,
    device_id     integer NOT NULL REFERENCES device,
    PRIMARY KEY (cardholder_id, device_id)
);
CREATE INDEX cardholder_door_device ON cardholder_door (device_id);

CREATE TABLE local_rule (
    gateway_id integer NOT NULL REFERENCES gateway,
    code       text NOT NULL,
    body       jsonb NOT NULL,                                       -- protocols.rules.Rule
    enabled    boolean NOT NULL DEFAULT true,
    changed_at timestamptz NOT NULL,
    changed_by uuid REFERENCES person,
    PRIMARY KEY (gateway_id, code)
);

CREATE TABLE delivered_set (                                         -- a version of what a gateway is to work by
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    gateway_id integer NOT NULL REFERENCES gateway,
    kind       text NOT NULL CHECK (kind IN ('cardholders', 'rules')),
    number     integer NOT NULL CHECK (number > 0),
    hash       text NOT NULL,
    pages      text[] NOT NULL,                                      -- their names, the head first
    items      integer NOT NULL,
    state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'applied', 'refused', 'superseded')),
    ticket     uuid,                                                 -- the gateway's newest
    wants      integer[] NOT NULL DEFAULT '{}',                      -- pages that it asked for last
    error      jsonb,                                                -- {"code", "params"}
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (gateway_id, kind, number)
);
CREATE UNIQUE INDEX delivered_set_open ON delivered_set (gateway_id, kind) WHERE state IN ('queued', 'sent');
CREATE TABLE set_page (                                              -- of the wanted and the reported version; older ones are deleted
    gateway_id integer NOT NULL REFERENCES gateway,
    kind       text NOT NULL,
    hash       text NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (gateway_id, kind, hash)
);
CREATE TABLE reported_set (                                          -- what a gateway said last that it works by
    gateway_id integer NOT NULL REFERENCES gateway,
    kind       text NOT NULL,
    number     integer NOT NULL,                                     -- 0: nothing was delivered
    hash       text NOT NULL,
    items      integer NOT NULL,
    unfit      jsonb,                                                -- {"count", "error"}: rules that it cannot judge at the moment
    at         timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, kind)
);

-- A door that hangs somewhere else, anew, or nowhere has other cardholders, however that came to be.
CREATE FUNCTION door_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.type = 'door' AND EXISTS (SELECT FROM cardholder) THEN
        INSERT INTO due (kind, ref, due_at) VALUES ('set.build', NEW.gateway_id || '/cardholders', now())
        ON CONFLICT (kind, ref) DO NOTHING;
        NOTIFY due;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER door_placed AFTER INSERT OR UPDATE OF place_id, type ON device FOR EACH ROW EXECUTE FUNCTION door_placed();
