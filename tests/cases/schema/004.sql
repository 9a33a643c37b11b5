CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TABLE public.alarm (
    id bigint NOT NULL,
    rule_code text NOT NULL,
    device_id integer NOT NULL,
    place_id integer,
    severity text NOT NULL,
    response text NOT NULL,
    reason jsonb NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    committed_at timestamp with time zone DEFAULT now() NOT NULL,
    repeats integer DEFAULT 0 NOT NULL,
    cleared_at timestamp with time zone,
    cleared_reason jsonb,
    acknowledged_at timestamp with time zone,
    acknowledged_by uuid,
    incident_id bigint,
    CONSTRAINT alarm_severity_check CHECK ((severity = ANY (ARRAY['P1'::text, 'P2'::text, 'P3'::text, 'P4'::text])))
);
ALTER TABLE public.alarm ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alarm_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alias (
    gateway_id integer NOT NULL,
    alias bigint NOT NULL,
    device_id integer NOT NULL,
    metric text NOT NULL,
    datatype smallint NOT NULL
);
CREATE TABLE public.assignment (
    offer_id uuid NOT NULL,
    task_id bigint NOT NULL,
    person_id uuid NOT NULL,
    state text NOT NULL,
    accepted_at timestamp with time zone DEFAULT now() NOT NULL,
    on_the_way_at timestamp with time zone,
    on_scene_at timestamp with time zone,
    ended_at timestamp with time zone,
    note text,
    CONSTRAINT assignment_state_check CHECK ((state = ANY (ARRAY['accepted'::text, 'on-the-way'::text, 'on-scene'::text, 'done'::text, 'released'::text])))
);
CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    person_id uuid,
    action text NOT NULL,
    subject text,
    place_id integer,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    address text
);
ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.client_action (
    id uuid NOT NULL,
    person_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    answer jsonb NOT NULL
);
CREATE TABLE public.command (
    id uuid NOT NULL,
    device_id integer NOT NULL,
    output text NOT NULL,
    value jsonb NOT NULL,
    person_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    sent_at timestamp with time zone,
    ticket uuid,
    answered_at timestamp with time zone,
    error jsonb,
    CONSTRAINT command_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'done'::text, 'refused'::text, 'expired'::text])))
);
CREATE TABLE public.device (
    id integer NOT NULL,
    gateway_id integer NOT NULL,
    code text NOT NULL,
    type text,
    place_id integer,
    name jsonb DEFAULT '{}'::jsonb NOT NULL,
    online boolean DEFAULT false NOT NULL,
    changed_at timestamp with time zone,
    seen_at timestamp with time zone
);
ALTER TABLE public.device ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.due (
    id bigint NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    error text
);
ALTER TABLE public.due ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.due_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.event (
    id bigint NOT NULL,
    event_id uuid NOT NULL,
    device_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE public.event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.gateway (
    id integer NOT NULL,
    group_code text NOT NULL,
    code text NOT NULL,
    place_id integer,
    name jsonb DEFAULT '{}'::jsonb NOT NULL,
    online boolean DEFAULT false NOT NULL,
    bdseq smallint,
    born_at timestamp with time zone,
    died_at timestamp with time zone,
    seen_at timestamp with time zone,
    birth text,
    declared jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE public.gateway ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.gateway_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.grid (
    id integer NOT NULL,
    place_id integer NOT NULL,
    code text NOT NULL,
    name jsonb NOT NULL,
    outline jsonb
);
ALTER TABLE public.grid ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.grid_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.incident (
    id bigint NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    response text NOT NULL,
    place_id integer,
    state text NOT NULL,
    policy jsonb NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    outcome text,
    CONSTRAINT incident_response_check CHECK ((response = ANY (ARRAY['A'::text, 'B'::text, 'C'::text, 'guard'::text, 'device'::text]))),
    CONSTRAINT incident_severity_check CHECK ((severity = ANY (ARRAY['P1'::text, 'P2'::text, 'P3'::text, 'P4'::text]))),
    CONSTRAINT incident_state_check CHECK ((state = ANY (ARRAY['reported'::text, 'filed'::text, 'dispatched'::text, 'handling'::text, 'fed-back'::text, 'closed'::text, 'evaluated'::text, 'void'::text])))
);
ALTER TABLE public.incident ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.incident_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.job_run (
    job text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    error text
);
CREATE TABLE public.latest (
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    value double precision,
    text text,
    quality smallint DEFAULT 192 NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE TABLE public.lease (
    name text NOT NULL,
    holder text NOT NULL,
    fence bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.notification (
    id bigint NOT NULL,
    person_id uuid NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    incident_id bigint,
    once text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    queued_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    delivered_at timestamp with time zone,
    read_at timestamp with time zone,
    error text,
    CONSTRAINT notification_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'delivered'::text, 'read'::text, 'answered'::text, 'failed'::text, 'dropped'::text])))
);
ALTER TABLE public.notification ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.offer (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    task_id bigint NOT NULL,
    person_id uuid NOT NULL,
    wave smallint NOT NULL,
    state text NOT NULL,
    distance_m double precision,
    why jsonb DEFAULT '{}'::jsonb NOT NULL,
    offered_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone,
    answered_at timestamp with time zone,
    CONSTRAINT offer_state_check CHECK ((state = ANY (ARRAY['offered'::text, 'accepted'::text, 'declined'::text, 'expired'::text, 'withdrawn'::text, 'late'::text])))
);
CREATE TABLE public.person (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    login text NOT NULL,
    name jsonb NOT NULL,
    password_hash text,
    language text DEFAULT 'zh-CN'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT person_language_check CHECK ((language = ANY (ARRAY['zh-CN'::text, 'en'::text]))),
    CONSTRAINT person_login_check CHECK ((login ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text))
);
CREATE TABLE public.place (
    id integer NOT NULL,
    parent_id integer,
    kind text NOT NULL,
    code text NOT NULL,
    path text NOT NULL,
    name jsonb NOT NULL,
    lat double precision,
    lon double precision,
    outline jsonb,
    floor smallint,
    access jsonb,
    CONSTRAINT place_check CHECK (((path = code) OR (path ~~ ('%/'::text || code)))),
    CONSTRAINT place_check1 CHECK (((parent_id IS NULL) = (kind = 'street'::text))),
    CONSTRAINT place_code_check CHECK ((code ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT place_kind_check CHECK ((kind = ANY (ARRAY['street'::text, 'community'::text, 'estate'::text, 'building'::text, 'unit'::text, 'home'::text, 'spot'::text]))),
    CONSTRAINT place_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT place_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision)))
);
ALTER TABLE public.place ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.place_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.poison (
    id bigint NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    topic text NOT NULL,
    message text,
    payload bytea NOT NULL,
    code text NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE public.poison ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.poison_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reading (
    ts timestamp with time zone NOT NULL,
    series_id integer NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 NOT NULL
)
PARTITION BY RANGE (ts);
CREATE TABLE public.reading_20261115 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261116 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261117 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261118 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261119 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261120 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261121 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261122 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261123 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261124 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261125 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261126 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261127 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261128 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_20261129 (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.reading_default (
    ts timestamp with time zone CONSTRAINT reading_ts_not_null NOT NULL,
    series_id integer CONSTRAINT reading_series_id_not_null NOT NULL,
    value double precision,
    quality smallint DEFAULT 192 CONSTRAINT reading_quality_not_null NOT NULL
);
CREATE TABLE public.received (
    epoch uuid NOT NULL,
    lane text NOT NULL,
    numbers int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    highest bigint DEFAULT 0 NOT NULL,
    CONSTRAINT received_lane_check CHECK ((lane = ANY (ARRAY['urgent'::text, 'bulk'::text])))
);
CREATE TABLE public.responder (
    person_id uuid NOT NULL,
    on_duty boolean DEFAULT true NOT NULL,
    post_lat double precision,
    post_lon double precision,
    lat double precision,
    lon double precision,
    located_at timestamp with time zone,
    skills text[] DEFAULT '{}'::text[] NOT NULL
);
CREATE TABLE public.role_grant (
    person_id uuid NOT NULL,
    role text NOT NULL,
    place_id integer NOT NULL,
    CONSTRAINT role_grant_role_check CHECK ((role = ANY (ARRAY['administrator'::text, 'operator'::text, 'grid-worker'::text, 'volunteer'::text, 'social-worker'::text, 'installer'::text])))
);
CREATE TABLE public.rule (
    code text NOT NULL,
    body jsonb NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    builtin boolean DEFAULT false NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.rule_state (
    rule_code text NOT NULL,
    device_id integer NOT NULL,
    phase text NOT NULL,
    since_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    reason jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT rule_state_phase_check CHECK ((phase = ANY (ARRAY['idle'::text, 'pending'::text, 'firing'::text, 'clearing'::text])))
);
CREATE TABLE public.schema_history (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.series (
    id integer NOT NULL,
    device_id integer NOT NULL,
    metric text NOT NULL,
    datatype smallint NOT NULL,
    unit text DEFAULT ''::text NOT NULL
);
ALTER TABLE public.series ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.series_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.session (
    token_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.signin_link (
    token_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.stream_event (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    place_id integer,
    person_id uuid,
    data jsonb DEFAULT '{}'::jsonb NOT NULL
);
CREATE TABLE public.stream_head (
    one boolean DEFAULT true NOT NULL,
    id bigint NOT NULL,
    CONSTRAINT stream_head_one_check CHECK (one)
);
CREATE TABLE public.task (
    id bigint NOT NULL,
    incident_id bigint NOT NULL,
    kind text NOT NULL,
    wanted smallint NOT NULL,
    state text NOT NULL,
    wave smallint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT task_state_check CHECK ((state = ANY (ARRAY['open'::text, 'filled'::text, 'done'::text, 'cancelled'::text]))),
    CONSTRAINT task_wanted_check CHECK ((wanted > 0))
);
ALTER TABLE public.task ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.task_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.text_reading (
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    value text NOT NULL,
    quality smallint DEFAULT 192 NOT NULL
);
CREATE TABLE public.timeline (
    id bigint NOT NULL,
    incident_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    person_id uuid,
    data jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE public.timeline ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.timeline_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261115 FOR VALUES FROM ('2026-11-15 00:00:00+00') TO ('2026-11-16 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261116 FOR VALUES FROM ('2026-11-16 00:00:00+00') TO ('2026-11-17 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261117 FOR VALUES FROM ('2026-11-17 00:00:00+00') TO ('2026-11-18 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261118 FOR VALUES FROM ('2026-11-18 00:00:00+00') TO ('2026-11-19 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261119 FOR VALUES FROM ('2026-11-19 00:00:00+00') TO ('2026-11-20 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261120 FOR VALUES FROM ('2026-11-20 00:00:00+00') TO ('2026-11-21 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261121 FOR VALUES FROM ('2026-11-21 00:00:00+00') TO ('2026-11-22 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261122 FOR VALUES FROM ('2026-11-22 00:00:00+00') TO ('2026-11-23 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261123 FOR VALUES FROM ('2026-11-23 00:00:00+00') TO ('2026-11-24 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261124 FOR VALUES FROM ('2026-11-24 00:00:00+00') TO ('2026-11-25 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261125 FOR VALUES FROM ('2026-11-25 00:00:00+00') TO ('2026-11-26 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261126 FOR VALUES FROM ('2026-11-26 00:00:00+00') TO ('2026-11-27 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261127 FOR VALUES FROM ('2026-11-27 00:00:00+00') TO ('2026-11-28 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261128 FOR VALUES FROM ('2026-11-28 00:00:00+00') TO ('2026-11-29 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_20261129 FOR VALUES FROM ('2026-11-29 00:00:00+00') TO ('2026-11-30 00:00:00+00');
ALTER TABLE ONLY public.reading ATTACH PARTITION public.reading_default DEFAULT;
INSERT INTO public.device OVERRIDING SYSTEM VALUE VALUES (1, 1, 'meter-1', 'power-meter', 1, '{}', false, NULL, NULL);
INSERT INTO public.gateway OVERRIDING SYSTEM VALUE VALUES (1, 'estate', 'gw-1', 1, '{}', false, NULL, NULL, NULL, NULL, NULL, '{}');
INSERT INTO public.latest VALUES (1, '2026-01-03 18:00:00+00', 198, NULL, 192, '2026-11-22 06:56:44.518763+00');
INSERT INTO public.person VALUES ('bfb85712-3861-43eb-a6fd-9d175b6402b7', 'wang', '{"en": "Wang", "zh-CN": "王"}', NULL, 'zh-CN', '2026-11-22 06:56:44.518763+00', NULL);
INSERT INTO public.place OVERRIDING SYSTEM VALUE VALUES (1, NULL, 'street', 's', 's', '{"en": "Street", "zh-CN": "街"}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.reading_default VALUES ('2026-01-01 00:00:00+00', 1, 0, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 00:20:00+00', 2, 1, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 00:40:00+00', 1, 2, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 01:00:00+00', 2, 3, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 01:20:00+00', 1, 4, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 01:40:00+00', 2, 5, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 02:00:00+00', 1, 6, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 02:20:00+00', 2, 7, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 02:40:00+00', 1, 8, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 03:00:00+00', 2, 9, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 03:20:00+00', 1, 10, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 03:40:00+00', 2, 11, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 04:00:00+00', 1, 12, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 04:20:00+00', 2, 13, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 04:40:00+00', 1, 14, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 05:00:00+00', 2, 15, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 05:20:00+00', 1, 16, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 05:40:00+00', 2, 17, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 06:00:00+00', 1, 18, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 06:20:00+00', 2, 19, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 06:40:00+00', 1, 20, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 07:00:00+00', 2, 21, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 07:20:00+00', 1, 22, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 07:40:00+00', 2, 23, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 08:00:00+00', 1, 24, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 08:20:00+00', 2, 25, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 08:40:00+00', 1, 26, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 09:00:00+00', 2, 27, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 09:20:00+00', 1, 28, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 09:40:00+00', 2, 29, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 10:00:00+00', 1, 30, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 10:20:00+00', 2, 31, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 10:40:00+00', 1, 32, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 11:00:00+00', 2, 33, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 11:20:00+00', 1, 34, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 11:40:00+00', 2, 35, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 12:00:00+00', 1, 36, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 12:20:00+00', 2, 37, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 12:40:00+00', 1, 38, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 13:00:00+00', 2, 39, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 13:20:00+00', 1, 40, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 13:40:00+00', 2, 41, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 14:00:00+00', 1, 42, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 14:20:00+00', 2, 43, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 14:40:00+00', 1, 44, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 15:00:00+00', 2, 45, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 15:20:00+00', 1, 46, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 15:40:00+00', 2, 47, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 16:00:00+00', 1, 48, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 16:20:00+00', 2, 49, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 16:40:00+00', 1, 50, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 17:00:00+00', 2, 51, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 17:20:00+00', 1, 52, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 17:40:00+00', 2, 53, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 18:00:00+00', 1, 54, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 18:20:00+00', 2, 55, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 18:40:00+00', 1, 56, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 19:00:00+00', 2, 57, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 19:20:00+00', 1, 58, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 19:40:00+00', 2, 59, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 20:00:00+00', 1, 60, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 20:20:00+00', 2, 61, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 20:40:00+00', 1, 62, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 21:00:00+00', 2, 63, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 21:20:00+00', 1, 64, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 21:40:00+00', 2, 65, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 22:00:00+00', 1, 66, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 22:20:00+00', 2, 67, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 22:40:00+00', 1, 68, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 23:00:00+00', 2, 69, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 23:20:00+00', 1, 70, 192);
INSERT INTO public.reading_default VALUES ('2026-01-01 23:40:00+00', 2, 71, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 00:00:00+00', 1, 72, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 00:20:00+00', 2, 73, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 00:40:00+00', 1, 74, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 01:00:00+00', 2, 75, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 01:20:00+00', 1, 76, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 01:40:00+00', 2, 77, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 02:00:00+00', 1, 78, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 02:20:00+00', 2, 79, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 02:40:00+00', 1, 80, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 03:00:00+00', 2, 81, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 03:20:00+00', 1, 82, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 03:40:00+00', 2, 83, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 04:00:00+00', 1, 84, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 04:20:00+00', 2, 85, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 04:40:00+00', 1, 86, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 05:00:00+00', 2, 87, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 05:20:00+00', 1, 88, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 05:40:00+00', 2, 89, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 06:00:00+00', 1, 90, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 06:20:00+00', 2, 91, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 06:40:00+00', 1, 92, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 07:00:00+00', 2, 93, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 07:20:00+00', 1, 94, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 07:40:00+00', 2, 95, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 08:00:00+00', 1, 96, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 08:20:00+00', 2, 97, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 08:40:00+00', 1, 98, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 09:00:00+00', 2, 99, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 09:20:00+00', 1, 100, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 09:40:00+00', 2, 101, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 10:00:00+00', 1, 102, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 10:20:00+00', 2, 103, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 10:40:00+00', 1, 104, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 11:00:00+00', 2, 105, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 11:20:00+00', 1, 106, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 11:40:00+00', 2, 107, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 12:00:00+00', 1, 108, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 12:20:00+00', 2, 109, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 12:40:00+00', 1, 110, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 13:00:00+00', 2, 111, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 13:20:00+00', 1, 112, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 13:40:00+00', 2, 113, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 14:00:00+00', 1, 114, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 14:20:00+00', 2, 115, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 14:40:00+00', 1, 116, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 15:00:00+00', 2, 117, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 15:20:00+00', 1, 118, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 15:40:00+00', 2, 119, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 16:00:00+00', 1, 120, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 16:20:00+00', 2, 121, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 16:40:00+00', 1, 122, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 17:00:00+00', 2, 123, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 17:20:00+00', 1, 124, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 17:40:00+00', 2, 125, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 18:00:00+00', 1, 126, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 18:20:00+00', 2, 127, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 18:40:00+00', 1, 128, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 19:00:00+00', 2, 129, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 19:20:00+00', 1, 130, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 19:40:00+00', 2, 131, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 20:00:00+00', 1, 132, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 20:20:00+00', 2, 133, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 20:40:00+00', 1, 134, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 21:00:00+00', 2, 135, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 21:20:00+00', 1, 136, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 21:40:00+00', 2, 137, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 22:00:00+00', 1, 138, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 22:20:00+00', 2, 139, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 22:40:00+00', 1, 140, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 23:00:00+00', 2, 141, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 23:20:00+00', 1, 142, 192);
INSERT INTO public.reading_default VALUES ('2026-01-02 23:40:00+00', 2, 143, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 00:00:00+00', 1, 144, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 00:20:00+00', 2, 145, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 00:40:00+00', 1, 146, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 01:00:00+00', 2, 147, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 01:20:00+00', 1, 148, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 01:40:00+00', 2, 149, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 02:00:00+00', 1, 150, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 02:20:00+00', 2, 151, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 02:40:00+00', 1, 152, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 03:00:00+00', 2, 153, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 03:20:00+00', 1, 154, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 03:40:00+00', 2, 155, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 04:00:00+00', 1, 156, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 04:20:00+00', 2, 157, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 04:40:00+00', 1, 158, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 05:00:00+00', 2, 159, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 05:20:00+00', 1, 160, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 05:40:00+00', 2, 161, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 06:00:00+00', 1, 162, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 06:20:00+00', 2, 163, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 06:40:00+00', 1, 164, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 07:00:00+00', 2, 165, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 07:20:00+00', 1, 166, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 07:40:00+00', 2, 167, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 08:00:00+00', 1, 168, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 08:20:00+00', 2, 169, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 08:40:00+00', 1, 170, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 09:00:00+00', 2, 171, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 09:20:00+00', 1, 172, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 09:40:00+00', 2, 173, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 10:00:00+00', 1, 174, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 10:20:00+00', 2, 175, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 10:40:00+00', 1, 176, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 11:00:00+00', 2, 177, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 11:20:00+00', 1, 178, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 11:40:00+00', 2, 179, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 12:00:00+00', 1, 180, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 12:20:00+00', 2, 181, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 12:40:00+00', 1, 182, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 13:00:00+00', 2, 183, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 13:20:00+00', 1, 184, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 13:40:00+00', 2, 185, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 14:00:00+00', 1, 186, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 14:20:00+00', 2, 187, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 14:40:00+00', 1, 188, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 15:00:00+00', 2, 189, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 15:20:00+00', 1, 190, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 15:40:00+00', 2, 191, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 16:00:00+00', 1, 192, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 16:20:00+00', 2, 193, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 16:40:00+00', 1, 194, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 17:00:00+00', 2, 195, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 17:20:00+00', 1, 196, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 17:40:00+00', 2, 197, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 18:00:00+00', 1, 198, 192);
INSERT INTO public.reading_default VALUES ('2026-01-03 18:20:00+00', 2, 199, 192);
INSERT INTO public.schema_history VALUES (1, '001_foundation.sql', '490305d132ae6b5f31e9975f714eba46f52357f4720815b4ef22912d52bc110f', '2026-11-22 06:56:44.149385+00');
INSERT INTO public.schema_history VALUES (2, '002_indexes.sql', '7018c015d7619e5f145ef15a7b1692bef7d949a0c44bb99516c8348dab60aa57', '2026-11-22 06:56:44.149385+00');
INSERT INTO public.schema_history VALUES (3, '003_commands.sql', 'bb97bdee758b8dbeecb426dd65087ee952fc7d7450da2d400c4ee86ba93196ec', '2026-11-22 06:56:44.149385+00');
INSERT INTO public.schema_history VALUES (4, '004_access_in_both_languages.sql', '015cbadce8b968feb85b7d694d839e10a270e7cbe3dddb6c8c93da7d00e7c11f', '2026-11-22 06:56:44.149385+00');
INSERT INTO public.series OVERRIDING SYSTEM VALUE VALUES (1, 1, 'power', 10, 'W');
INSERT INTO public.series OVERRIDING SYSTEM VALUE VALUES (2, 1, 'energy-import', 10, 'kW.h');
INSERT INTO public.stream_head VALUES (true, 0);
SELECT pg_catalog.setval('public.alarm_id_seq', 1, false);
SELECT pg_catalog.setval('public.audit_id_seq', 1, false);
SELECT pg_catalog.setval('public.device_id_seq', 1, true);
SELECT pg_catalog.setval('public.due_id_seq', 1, false);
SELECT pg_catalog.setval('public.event_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_id_seq', 1, true);
SELECT pg_catalog.setval('public.grid_id_seq', 1, false);
SELECT pg_catalog.setval('public.incident_id_seq', 1, false);
SELECT pg_catalog.setval('public.notification_id_seq', 1, false);
SELECT pg_catalog.setval('public.place_id_seq', 1, true);
SELECT pg_catalog.setval('public.poison_id_seq', 1, false);
SELECT pg_catalog.setval('public.series_id_seq', 2, true);
SELECT pg_catalog.setval('public.task_id_seq', 1, false);
SELECT pg_catalog.setval('public.timeline_id_seq', 1, false);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_pkey PRIMARY KEY (gateway_id, alias);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_pkey PRIMARY KEY (offer_id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.client_action
    ADD CONSTRAINT client_action_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT command_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_gateway_id_code_key UNIQUE (gateway_id, code);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.due
    ADD CONSTRAINT due_kind_ref_key UNIQUE (kind, ref);
ALTER TABLE ONLY public.due
    ADD CONSTRAINT due_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_group_code_code_key UNIQUE (group_code, code);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.grid
    ADD CONSTRAINT grid_code_key UNIQUE (code);
ALTER TABLE ONLY public.grid
    ADD CONSTRAINT grid_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_run
    ADD CONSTRAINT job_run_pkey PRIMARY KEY (job);
ALTER TABLE ONLY public.latest
    ADD CONSTRAINT latest_pkey PRIMARY KEY (series_id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_once_key UNIQUE (once);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.offer
    ADD CONSTRAINT offer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.offer
    ADD CONSTRAINT offer_task_id_person_id_key UNIQUE (task_id, person_id);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_login_key UNIQUE (login);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.place
    ADD CONSTRAINT place_path_key UNIQUE (path);
ALTER TABLE ONLY public.place
    ADD CONSTRAINT place_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.poison
    ADD CONSTRAINT poison_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.received
    ADD CONSTRAINT received_pkey PRIMARY KEY (epoch, lane);
ALTER TABLE ONLY public.responder
    ADD CONSTRAINT responder_pkey PRIMARY KEY (person_id);
ALTER TABLE ONLY public.role_grant
    ADD CONSTRAINT role_grant_pkey PRIMARY KEY (person_id, role, place_id);
ALTER TABLE ONLY public.rule
    ADD CONSTRAINT rule_pkey PRIMARY KEY (code);
ALTER TABLE ONLY public.rule_state
    ADD CONSTRAINT rule_state_pkey PRIMARY KEY (rule_code, device_id);
ALTER TABLE ONLY public.schema_history
    ADD CONSTRAINT schema_history_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_device_id_metric_key UNIQUE (device_id, metric);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.signin_link
    ADD CONSTRAINT signin_link_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.stream_event
    ADD CONSTRAINT stream_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.stream_head
    ADD CONSTRAINT stream_head_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.timeline
    ADD CONSTRAINT timeline_pkey PRIMARY KEY (id);
CREATE INDEX alarm_incident ON public.alarm USING btree (incident_id);
CREATE UNIQUE INDEX alarm_one_active ON public.alarm USING btree (rule_code, device_id) WHERE (cleared_at IS NULL);
CREATE INDEX alarm_open ON public.alarm USING btree (severity, raised_at) WHERE ((cleared_at IS NULL) OR (acknowledged_at IS NULL));
CREATE UNIQUE INDEX assignment_one_at_a_time ON public.assignment USING btree (person_id) WHERE (ended_at IS NULL);
CREATE INDEX assignment_task ON public.assignment USING btree (task_id);
CREATE INDEX audit_person ON public.audit USING btree (person_id, at DESC);
CREATE INDEX command_device ON public.command USING btree (device_id, created_at DESC);
CREATE INDEX due_at ON public.due USING btree (due_at);
CREATE INDEX event_device_ts ON public.event USING btree (device_id, ts DESC);
CREATE INDEX event_kind_ts ON public.event USING btree (kind, ts DESC);
CREATE INDEX incident_open ON public.incident USING btree (place_id, kind) WHERE (closed_at IS NULL);
CREATE INDEX notification_person ON public.notification USING btree (person_id, id DESC);
CREATE INDEX offer_person ON public.offer USING btree (person_id, offered_at DESC);
CREATE INDEX place_parent ON public.place USING btree (parent_id);
CREATE INDEX place_path ON public.place USING btree (path text_pattern_ops);
CREATE INDEX reading_series_ts ON ONLY public.reading USING btree (series_id, ts DESC);
CREATE INDEX reading_20261115_series_id_ts_idx ON public.reading_20261115 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261116_series_id_ts_idx ON public.reading_20261116 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261117_series_id_ts_idx ON public.reading_20261117 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261118_series_id_ts_idx ON public.reading_20261118 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261119_series_id_ts_idx ON public.reading_20261119 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261120_series_id_ts_idx ON public.reading_20261120 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261121_series_id_ts_idx ON public.reading_20261121 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261122_series_id_ts_idx ON public.reading_20261122 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261123_series_id_ts_idx ON public.reading_20261123 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261124_series_id_ts_idx ON public.reading_20261124 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261125_series_id_ts_idx ON public.reading_20261125 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261126_series_id_ts_idx ON public.reading_20261126 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261127_series_id_ts_idx ON public.reading_20261127 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261128_series_id_ts_idx ON public.reading_20261128 USING btree (series_id, ts DESC);
CREATE INDEX reading_20261129_series_id_ts_idx ON public.reading_20261129 USING btree (series_id, ts DESC);
CREATE INDEX reading_default_series_id_ts_idx ON public.reading_default USING btree (series_id, ts DESC);
CREATE INDEX stream_event_person ON public.stream_event USING btree (person_id, kind, key, id) WHERE (person_id IS NOT NULL);
CREATE INDEX task_incident ON public.task USING btree (incident_id);
CREATE INDEX text_reading_series_ts ON public.text_reading USING btree (series_id, ts DESC);
CREATE INDEX timeline_incident ON public.timeline USING btree (incident_id, id);
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261115_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261116_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261117_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261118_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261119_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261120_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261121_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261122_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261123_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261124_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261125_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261126_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261127_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261128_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_20261129_series_id_ts_idx;
ALTER INDEX public.reading_series_ts ATTACH PARTITION public.reading_default_series_id_ts_idx;
CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER timeline_append_only BEFORE DELETE OR UPDATE ON public.timeline FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_acknowledged_by_fkey FOREIGN KEY (acknowledged_by) REFERENCES public.person(id);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incident(id);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_rule_code_fkey FOREIGN KEY (rule_code) REFERENCES public.rule(code);
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES public.offer(id);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.task(id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.client_action
    ADD CONSTRAINT client_action_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT command_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT command_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.grid
    ADD CONSTRAINT grid_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.latest
    ADD CONSTRAINT latest_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.series(id);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incident(id);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.offer
    ADD CONSTRAINT offer_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.offer
    ADD CONSTRAINT offer_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.task(id);
ALTER TABLE ONLY public.place
    ADD CONSTRAINT place_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.responder
    ADD CONSTRAINT responder_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.role_grant
    ADD CONSTRAINT role_grant_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.role_grant
    ADD CONSTRAINT role_grant_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.rule_state
    ADD CONSTRAINT rule_state_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.rule_state
    ADD CONSTRAINT rule_state_rule_code_fkey FOREIGN KEY (rule_code) REFERENCES public.rule(code);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.signin_link
    ADD CONSTRAINT signin_link_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.stream_event
    ADD CONSTRAINT stream_event_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
ALTER TABLE ONLY public.stream_event
    ADD CONSTRAINT stream_event_place_id_fkey FOREIGN KEY (place_id) REFERENCES public.place(id);
ALTER TABLE ONLY public.task
    ADD CONSTRAINT task_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incident(id);
ALTER TABLE ONLY public.timeline
    ADD CONSTRAINT timeline_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incident(id);
ALTER TABLE ONLY public.timeline
    ADD CONSTRAINT timeline_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.person(id);
