-- Where gateways say that their devices hang, and walk tests (docs/decisions/0019).

CREATE TABLE told_place (                                               -- the newest that a gateway says of a device
    device_id  integer PRIMARY KEY REFERENCES device,
    version    bigint NOT NULL,                                      -- given by the gateway; only grows
    type       text NOT NULL,                                        -- a row of the catalogue
    place      text NOT NULL,                                        -- below the estate: codes, '/' between
    name       text NOT NULL DEFAULT '',
    told_at    timestamptz NOT NULL,
    state      text NOT NULL DEFAULT 'told' CHECK (state IN ('told', 'taken', 'differs', 'unknown', 'kept')),
    decided_by uuid REFERENCES person,                               -- null: nobody had to
    decided_at timestamptz
);

CREATE TABLE walk_test (                                             -- a gateway whose alarms are tests for a while
    id         uuid PRIMARY KEY,
    gateway_id integer NOT NULL REFERENCES gateway,
    minutes    smallint NOT NULL CHECK (minutes BETWEEN 1 AND 120),
    state      text NOT NULL CHECK (state IN ('asked', 'running', 'over')),
    asked_at   timestamptz NOT NULL,
    person_id  uuid REFERENCES person,                               -- who said yes; null while it is only asked for
    from_at    timestamptz,
    due_at     timestamptz,                                          -- then it ends by itself
    ended_at   timestamptz,
    outcome    text CHECK (outcome IN ('due', 'stopped', 'unanswered')),
    CHECK ((state = 'asked') = (person_id IS NULL AND ended_at IS NULL) OR outcome = 'unanswered'),
    CHECK ((from_at IS NULL) = (due_at IS NULL))
);
CREATE UNIQUE INDEX walk_test_open ON walk_test (gateway_id) WHERE state <> 'over';
CREATE INDEX walk_test_gateway ON walk_test (gateway_id, from_at DESC);

CREATE TABLE device_test (                                           -- what a walk test that is over found
    walk_test_id uuid NOT NULL REFERENCES walk_test,
    device_id    integer NOT NULL REFERENCES device,
    result       text NOT NULL CHECK (result IN ('alarm', 'event', 'heard')),
    what         text NOT NULL,                                      -- rule, kind of event or metric
    at           timestamptz NOT NULL,
    PRIMARY KEY (walk_test_id, device_id)
);
CREATE INDEX device_test_device ON device_test (device_id, at DESC);

ALTER TABLE alarm ADD COLUMN walk_test_id uuid REFERENCES walk_test;  -- a test: it has no incident and calls nobody
ALTER TABLE alarm ADD CHECK (walk_test_id IS NULL OR incident_id IS NULL);
CREATE INDEX alarm_walk_test ON alarm (walk_test_id) WHERE walk_test_id IS NOT NULL;
