-- Aliases and bdSeq (version 1 = PRAGMA user_version), in a file of their own beside the outbox.

-- An alias is given once per node and metric and never again: data sent before a rebirth may arrive after it.
-- device '' is the node itself. Alias 1 belongs to 'Node Control/Outbox Ack'.
CREATE TABLE alias (
    alias INTEGER PRIMARY KEY CHECK (alias > 1),
    device TEXT NOT NULL,
    metric TEXT NOT NULL,
    datatype TEXT NOT NULL,
    UNIQUE (device, metric)
) STRICT;

-- 'bdseq' is where the file `bdseq` begins when it is made: it was counted here before.
CREATE TABLE counter (
    name TEXT PRIMARY KEY CHECK (name IN ('alias', 'bdseq')),
    next INTEGER NOT NULL CHECK (next >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, next) VALUES ('alias', 2), ('bdseq', 0);
