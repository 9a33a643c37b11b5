-- The outbox of a gateway (version 1 = PRAGMA user_version). Opened with journal_mode=WAL, synchronous=FULL.

-- One opening of this file. A restored copy or a cloned card opens too, so no two ever give the same number.
CREATE TABLE epoch (
    id INTEGER PRIMARY KEY,  -- rises with every opening: the order of sending
    uuid TEXT NOT NULL UNIQUE,
    opened_ms INTEGER NOT NULL
) STRICT;

-- The next number of each lane (0 urgent, 1 bulk). Stored, never max + 1: what was deleted is not given again.
CREATE TABLE lane (
    epoch INTEGER NOT NULL REFERENCES epoch (id) ON DELETE CASCADE,
    lane INTEGER NOT NULL CHECK (lane IN (0, 1)),
    next INTEGER NOT NULL DEFAULT 1 CHECK (next >= 1),
    PRIMARY KEY (epoch, lane)
) STRICT, WITHOUT ROWID;

-- One message: observations of one device ('' = the gateway itself) from one flush.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL CHECK (last >= first),
    device TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)),
    size INTEGER NOT NULL,  -- bytes of body
    body BLOB NOT NULL,     -- edge.outbox.body
    UNIQUE (epoch, lane, first),
    FOREIGN KEY (epoch, lane) REFERENCES lane (epoch, lane)
) STRICT;
CREATE INDEX block_in_order ON block (acknowledged, lane, epoch, first, last, size);
CREATE INDEX block_of_device ON block (device) WHERE acknowledged = 0;

-- What each driver stored last, in the transaction of the observations that it belongs to.
CREATE TABLE driver_state (
    driver TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Local rules: their state per device, and the outputs that a firing rule still has to bring about.
CREATE TABLE rule_state (
    rule TEXT NOT NULL,
    device TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('idle', 'pending', 'firing', 'clearing')),
    since_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    owed TEXT NOT NULL DEFAULT '[]',  -- indices of the rule's actions that no device has confirmed yet
    PRIMARY KEY (rule, device)
) STRICT, WITHOUT ROWID;
