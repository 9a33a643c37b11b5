-- Devices that gateways hear and no configuration names.

CREATE TABLE waiting_device (                                        -- until somebody approves it, or it leaves
    gateway_id integer NOT NULL REFERENCES gateway,
    driver     text NOT NULL,                                        -- as the gateway's configuration calls it
    address    text NOT NULL,                                        -- as the device's network calls it
    family     text NOT NULL,
    name       text NOT NULL DEFAULT '',
    model      text NOT NULL DEFAULT '',
    type       text NOT NULL DEFAULT '',                             -- a row of the catalogue, if it seems to be one
    settings   jsonb NOT NULL DEFAULT '{}',                          -- what its table in the configuration would say
    since      timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, driver, address)
);
