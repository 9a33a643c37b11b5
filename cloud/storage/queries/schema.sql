-- lock: one migration at a time, and none waits for ever
SET LOCAL lock_timeout = '60s';
SELECT pg_advisory_xact_lock(hashtext('liandong schema'));

-- create_history: what has been applied
CREATE TABLE IF NOT EXISTS schema_history (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- has_history: whether this database was ever migrated
SELECT to_regclass('schema_history') IS NOT NULL AS present;

-- history: the applied steps, oldest first
SELECT number, name, checksum FROM schema_history ORDER BY number;

-- record: this step is done
INSERT INTO schema_history (number, name, checksum) VALUES (%(number)s, %(name)s, %(checksum)s);
