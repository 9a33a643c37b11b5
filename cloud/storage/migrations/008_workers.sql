-- Who carries which Sparkplug group. It spreads the work; what is stored once is guarded by the received sets alone.

CREATE TABLE ingest_worker (                                         -- a worker that shares; a row that is over is a dead one's
    id         uuid PRIMARY KEY,
    host_id    text NOT NULL,                                        -- the Sparkplug host that it works for
    name       text NOT NULL,                                        -- machine and process, for people
    connection text NOT NULL,                                        -- what its connections are called
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    figures    jsonb NOT NULL DEFAULT '{}'                           -- what it said of itself last
);

CREATE TABLE ingest_group (
    host_id    text NOT NULL,
    code       text NOT NULL,                                        -- the Sparkplug group id
    gateways   integer NOT NULL DEFAULT 0,                           -- how much work it is
    worker     uuid,                                                 -- who carries it; null: nobody
    taken_at   timestamptz,
    added_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (host_id, code)
);
