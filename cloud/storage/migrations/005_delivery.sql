-- The cloud's side of delivery: what is missing and what was told of it, attempts after an unclean stop, and the
-- workers' own rows, by which they notice that the database is an older one.

ALTER TABLE received ADD COLUMN gateway_id integer REFERENCES gateway;  -- who declared or carried it last

CREATE FUNCTION size_of(numbers int8multirange) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(sum(upper(one) - lower(one)), 0)::bigint FROM unnest(numbers) AS one);

CREATE VIEW held AS                                                  -- what the newest births of all gateways say they hold
SELECT gateway.id AS gateway_id, split_part(part, ':', 1)::uuid AS epoch, declared.lane,
       split_part(split_part(part, ':', 2), '/', 1)::int8multirange AS numbers, split_part(part, '/', 2)::bigint AS last_given
FROM gateway, jsonb_each_text(gateway.declared) AS declared (lane, parts), string_to_table(declared.parts, ';') AS part
WHERE part <> '';

CREATE VIEW delivery AS                                              -- per epoch and lane: what became of the numbers that were given
SELECT received.epoch, received.lane, received.gateway_id, received.highest AS given, received.numbers AS received,
       coalesce(said.held, '{}') - received.numbers AS held,
       int8multirange(int8range(1, received.highest + 1)) - received.numbers - coalesce(said.held, '{}') AS missing,
       -- A birth speaks about the numbers that were given before it; of an epoch that no birth names any more, nothing is left.
       coalesce(said.last_given, received.highest) AS spoken_to, said.epoch IS NULL AS vanished
FROM received LEFT JOIN (
    SELECT epoch, lane, range_agg(numbers) AS held, max(last_given) AS last_given FROM held GROUP BY epoch, lane
) AS said USING (epoch, lane);

CREATE TABLE loss (                                                  -- what was told of missing numbers, once per range
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch      uuid NOT NULL,
    lane       text NOT NULL,
    numbers    int8multirange NOT NULL,                              -- as they were told
    missing    int8multirange NOT NULL,                              -- what of them still is missing
    gateway_id integer REFERENCES gateway,
    reason     text NOT NULL,                                        -- the gateway's, else vanished or unknown
    noticed_at timestamptz NOT NULL,
    ended_at   timestamptz                                           -- nothing of it is missing any more
);
CREATE INDEX loss_open ON loss (epoch, lane) WHERE ended_at IS NULL;
CREATE INDEX loss_gateway ON loss (gateway_id, id DESC);

CREATE TABLE ingest_run (                                            -- a worker from its start to its clean stop
    id         uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    connection text NOT NULL,                                        -- what its connections are called
    groups     bigint NOT NULL DEFAULT 0,                            -- grows with each commit: an older database lags behind
    died_at    timestamptz                                           -- when somebody saw that no connection stands for it any more
);

CREATE TABLE attempt (                                               -- what a worker opens on its own after an unclean stop
    message    text PRIMARY KEY,                                     -- <epoch>/<lane>/<first>-<last>, or the topic of a birth
    tries      smallint NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
