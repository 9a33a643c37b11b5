-- The foundation: places, people, gateways, observations, received sets, rules, alarms, incidents, offers, the stream.
-- Runs on PostgreSQL 15–18. What differs between editions (hypertable or partitions) is storage/editions.py's.
-- Times are timestamptz (UTC in storage). Names that people read are jsonb {"zh-CN": …, "en": …}.

-- Places and grids ---------------------------------------------------------------------------------------------------

CREATE TABLE place (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id integer REFERENCES place,
    kind      text NOT NULL CHECK (kind IN ('street', 'community', 'estate', 'building', 'unit', 'home', 'spot')),
    code      text NOT NULL CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    path      text NOT NULL UNIQUE CHECK (path = code OR path LIKE '%/' || code),  -- codes from the street down, '/' between
    name      jsonb NOT NULL,
    lat       double precision CHECK (lat BETWEEN -90 AND 90),       -- WGS-84
    lon       double precision CHECK (lon BETWEEN -180 AND 180),
    outline   jsonb,                                                 -- GeoJSON Polygon or MultiPolygon
    floor     smallint,
    access    text,                                                  -- how to get in; shown only after an offer is accepted
    CHECK ((parent_id IS NULL) = (kind = 'street'))
);
CREATE INDEX place_parent ON place (parent_id);
CREATE INDEX place_path ON place (path text_pattern_ops);

CREATE TABLE grid (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place_id integer NOT NULL REFERENCES place,                      -- its community
    code     text NOT NULL UNIQUE,
    name     jsonb NOT NULL,
    outline  jsonb
);

-- People, roles, sessions ----------------------------------------------------------------------------------------------

CREATE TABLE person (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    login         text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    name          jsonb NOT NULL,
    password_hash text,                                              -- argon2id; null: no password sign-in
    language      text NOT NULL DEFAULT 'zh-CN' CHECK (language IN ('zh-CN', 'en')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz
);

CREATE TABLE role_grant (
    person_id uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    role      text NOT NULL CHECK (role IN ('administrator', 'operator', 'grid-worker', 'volunteer', 'social-worker', 'installer')),
    place_id  integer NOT NULL REFERENCES place,                     -- holds here and everywhere below
    PRIMARY KEY (person_id, role, place_id)
);

CREATE TABLE responder (                                             -- volunteers and grid workers who can be offered a task
    person_id   uuid PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    on_duty     boolean NOT NULL DEFAULT true,
    post_lat    double precision,                                    -- duty post, else home: where they are when nothing better is known
    post_lon    double precision,
    lat         double precision,                                    -- the last foreground fix
    lon         double precision,
    located_at  timestamptz,
    skills      text[] NOT NULL DEFAULT '{}'
);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY,                                    -- SHA-256; the token itself is only in the cookie
    person_id  uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE TABLE signin_link (
    token_hash bytea PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    person_id uuid REFERENCES person,
    action    text NOT NULL,
    subject   text,
    place_id  integer REFERENCES place,
    detail    jsonb NOT NULL DEFAULT '{}',
    address   text
);

-- Gateways, devices, series --------------------------------------------------------------------------------------------

CREATE TABLE gateway (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_code text NOT NULL,                                        -- Sparkplug group_id = estate code
    code       text NOT NULL,                                        -- Sparkplug edge_node_id
    place_id   integer REFERENCES place,
    name       jsonb NOT NULL DEFAULT '{}',
    online     boolean NOT NULL DEFAULT false,
    bdseq      smallint,
    born_at    timestamptz,
    died_at    timestamptz,
    seen_at    timestamptz,
    birth      text,                                                 -- Outbox/Birth of its newest birth
    declared   jsonb NOT NULL DEFAULT '{}',                          -- Outbox/<lane> declarations of its newest birth
    UNIQUE (group_code, code)
);

CREATE TABLE device (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id integer NOT NULL REFERENCES gateway,
    code       text NOT NULL,                                        -- Sparkplug device_id; '' is the gateway itself
    type       text,                                                 -- a row of the catalogue; null: unknown
    place_id   integer REFERENCES place,                             -- null: not live, listed for the installer
    name       jsonb NOT NULL DEFAULT '{}',
    online     boolean NOT NULL DEFAULT false,
    changed_at timestamptz,
    seen_at    timestamptz,
    UNIQUE (gateway_id, code)
);

CREATE TABLE series (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL REFERENCES device,
    metric    text NOT NULL,
    datatype  smallint NOT NULL,                                     -- Sparkplug data type
    unit      text NOT NULL DEFAULT '',
    UNIQUE (device_id, metric)
);

CREATE TABLE alias (                                                 -- of a node's newest births; given once, never reassigned
    gateway_id integer NOT NULL REFERENCES gateway,
    alias      bigint NOT NULL,
    device_id  integer NOT NULL REFERENCES device,
    metric     text NOT NULL,
    datatype   smallint NOT NULL,
    PRIMARY KEY (gateway_id, alias)
);

-- Observations ---------------------------------------------------------------------------------------------------------

CREATE TABLE latest (                                                -- by observation time, never by arrival
    series_id   integer PRIMARY KEY REFERENCES series,
    ts          timestamptz NOT NULL,
    value       double precision,                                    -- booleans as 0 and 1
    text        text,
    quality     smallint NOT NULL DEFAULT 192,                       -- OPC: 192 good, 64 uncertain, 0 bad
    received_at timestamptz NOT NULL
);

CREATE TABLE text_reading (
    series_id integer NOT NULL,
    ts        timestamptz NOT NULL,
    value     text NOT NULL,
    quality   smallint NOT NULL DEFAULT 192
);
CREATE INDEX text_reading_series_ts ON text_reading (series_id, ts DESC);

CREATE TABLE event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    uuid NOT NULL,                                       -- given by the gateway
    device_id   integer NOT NULL REFERENCES device,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    kind        text NOT NULL,
    data        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX event_device_ts ON event (device_id, ts DESC);
CREATE INDEX event_kind_ts ON event (kind, ts DESC);

CREATE TABLE received (                                              -- the received sets: what decides that a message is new
    epoch    uuid NOT NULL,
    lane     text NOT NULL CHECK (lane IN ('urgent', 'bulk')),
    numbers  int8multirange NOT NULL DEFAULT '{}',
    highest  bigint NOT NULL DEFAULT 0,                              -- highest number seen or declared as given
    PRIMARY KEY (epoch, lane)
);

CREATE TABLE poison (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    topic       text NOT NULL,
    message     text,                                                -- <epoch>/<lane>/<first>-<last> where it has one
    payload     bytea NOT NULL,
    code        text NOT NULL,
    params      jsonb NOT NULL DEFAULT '{}'
);

-- Rules, alarms ----------------------------------------------------------------------------------------------------------

CREATE TABLE rule (
    code       text PRIMARY KEY,
    body       jsonb NOT NULL,                                       -- protocols.rules.Rule
    enabled    boolean NOT NULL DEFAULT true,
    builtin    boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rule_state (
    rule_code text NOT NULL REFERENCES rule,
    device_id integer NOT NULL REFERENCES device,
    phase     text NOT NULL CHECK (phase IN ('idle', 'pending', 'firing', 'clearing')),
    since_ms  bigint NOT NULL,
    at_ms     bigint NOT NULL,
    reason    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (rule_code, device_id)
);

CREATE TABLE incident (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,                                        -- the code of the rule that opened it, or of a report
    severity   text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3', 'P4')),
    response   text NOT NULL CHECK (response IN ('A', 'B', 'C', 'guard', 'device')),
    place_id   integer REFERENCES place,
    state      text NOT NULL CHECK (state IN ('reported', 'filed', 'dispatched', 'handling', 'fed-back', 'closed', 'evaluated', 'void')),
    policy     jsonb NOT NULL,                                       -- the response policy in force when it opened, frozen
    opened_at  timestamptz NOT NULL DEFAULT now(),
    closed_at  timestamptz,
    outcome    text
);
CREATE INDEX incident_open ON incident (place_id, kind) WHERE closed_at IS NULL;

CREATE TABLE alarm (                                                 -- active/cleared × unacknowledged/acknowledged
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_code       text NOT NULL REFERENCES rule,
    device_id       integer NOT NULL REFERENCES device,
    place_id        integer REFERENCES place,
    severity        text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3', 'P4')),
    response        text NOT NULL,
    reason          jsonb NOT NULL,                                  -- why it fired
    raised_at       timestamptz NOT NULL,                            -- when it happened, by the gateway's clock
    committed_at    timestamptz NOT NULL DEFAULT now(),
    repeats         integer NOT NULL DEFAULT 0,
    cleared_at      timestamptz,
    cleared_reason  jsonb,
    acknowledged_at timestamptz,
    acknowledged_by uuid REFERENCES person,
    incident_id     bigint REFERENCES incident
);
CREATE UNIQUE INDEX alarm_one_active ON alarm (rule_code, device_id) WHERE cleared_at IS NULL;
CREATE INDEX alarm_incident ON alarm (incident_id);
CREATE INDEX alarm_open ON alarm (severity, raised_at) WHERE cleared_at IS NULL OR acknowledged_at IS NULL;

CREATE TABLE timeline (                                              -- everything, in order, nothing editable
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    at          timestamptz NOT NULL DEFAULT now(),
    kind        text NOT NULL,
    person_id   uuid REFERENCES person,
    data        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX timeline_incident ON timeline (incident_id, id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER timeline_append_only BEFORE UPDATE OR DELETE ON timeline FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Tasks, offers, assignments ---------------------------------------------------------------------------------------------

CREATE TABLE task (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    kind        text NOT NULL,
    wanted      smallint NOT NULL CHECK (wanted > 0),                -- how many assignments fill it
    state       text NOT NULL CHECK (state IN ('open', 'filled', 'done', 'cancelled')),
    wave        smallint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
CREATE INDEX task_incident ON task (incident_id);

CREATE TABLE offer (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    task_id     bigint NOT NULL REFERENCES task,
    person_id   uuid NOT NULL REFERENCES person,
    wave        smallint NOT NULL,
    state       text NOT NULL CHECK (state IN ('offered', 'accepted', 'declined', 'expired', 'withdrawn', 'late')),
    distance_m  double precision,
    why         jsonb NOT NULL DEFAULT '{}',                         -- why this person
    offered_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    seen_at     timestamptz,
    answered_at timestamptz,
    UNIQUE (task_id, person_id)
);
CREATE INDEX offer_person ON offer (person_id, offered_at DESC);

CREATE TABLE assignment (
    offer_id    uuid PRIMARY KEY REFERENCES offer,
    task_id     bigint NOT NULL REFERENCES task,
    person_id   uuid NOT NULL REFERENCES person,
    state       text NOT NULL CHECK (state IN ('accepted', 'on-the-way', 'on-scene', 'done', 'released')),
    accepted_at timestamptz NOT NULL DEFAULT now(),
    on_the_way_at timestamptz,
    on_scene_at timestamptz,
    ended_at    timestamptz,
    note        text
);
CREATE UNIQUE INDEX assignment_one_at_a_time ON assignment (person_id) WHERE ended_at IS NULL;
CREATE INDEX assignment_task ON assignment (task_id);

CREATE TABLE notification (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    channel      text NOT NULL,
    kind         text NOT NULL,                                      -- code of its sentence
    params       jsonb NOT NULL DEFAULT '{}',
    incident_id  bigint REFERENCES incident,
    once         text NOT NULL UNIQUE,                               -- what makes it the same notification
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'delivered', 'read', 'answered', 'failed', 'dropped')),
    attempts     smallint NOT NULL DEFAULT 0,
    queued_at    timestamptz NOT NULL DEFAULT now(),
    sent_at      timestamptz,
    delivered_at timestamptz,
    read_at      timestamptz,
    error        text
);
CREATE INDEX notification_person ON notification (person_id, id DESC);

-- Time, stream, leases -----------------------------------------------------------------------------------------------------

CREATE TABLE due (                                                   -- a timer is a row that a worker claims with SKIP LOCKED
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL,
    ref      text NOT NULL,
    due_at   timestamptz NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    error    text,
    UNIQUE (kind, ref)
);
CREATE INDEX due_at ON due (due_at);

CREATE TABLE stream_event (                                          -- what pages see, numbered in commit order
    id        bigint PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    kind      text NOT NULL,
    key       text NOT NULL,
    place_id  integer REFERENCES place,                              -- for people with a role here or above
    person_id uuid REFERENCES person,                                -- or for this person alone
    data      jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE stream_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), id bigint NOT NULL);
INSERT INTO stream_head (id) VALUES (0);

CREATE TABLE lease (                                                 -- fenced: a successor has a higher number
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    fence      bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE client_action (                                         -- an action with the same client UUID happens once
    id        uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person,
    at        timestamptz NOT NULL DEFAULT now(),
    answer    jsonb NOT NULL
);

CREATE TABLE job_run (
    job        text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    error      text
);
