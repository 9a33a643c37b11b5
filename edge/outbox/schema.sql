-- The outbox of a gateway (version 2 = PRAGMA user_version). Opened with journal_mode=WAL, synchronous=FULL.

-- One boot of the machine. wall ms = monotonic ms + offset_ms; set once and never changed, for what was sent stays.
CREATE TABLE boot (
    id INTEGER PRIMARY KEY,  -- rises with every boot
    uuid TEXT UNIQUE,        -- NULL: of what version 1 held, whose times are all known
    offset_ms INTEGER,
    estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1))
) STRICT;

-- One opening of this file. A restored copy or a cloned card opens too, so no two ever give the same number.
CREATE TABLE epoch (
    id INTEGER PRIMARY KEY CHECK (id < 1 << 24),  -- rises with every opening: the order of sending
    uuid TEXT NOT NULL UNIQUE,
    opened_ms INTEGER NOT NULL,
    boot INTEGER NOT NULL REFERENCES boot (id)
) STRICT;

-- The next number of each lane (0 urgent, 1 bulk). Stored, never max + 1: what was deleted is not given again.
CREATE TABLE lane (
    epoch INTEGER NOT NULL REFERENCES epoch (id) ON DELETE CASCADE,
    lane INTEGER NOT NULL CHECK (lane IN (0, 1)),
    next INTEGER NOT NULL DEFAULT 1 CHECK (next >= 1 AND next < 1 << 38),
    unknown INTEGER NOT NULL DEFAULT 0,  -- up to this number, unresolved times were handed out as unknown, and stay so
    PRIMARY KEY (epoch, lane)
) STRICT, WITHOUT ROWID;

-- One block: the messages of one flush and lane, or of several flushes that were merged. There is no index beside the
-- key, which is also the order of sending: each commit touches as few pages as can be.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,  -- lane << 62 | epoch << 38 | first number
    last INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)),
    messages INTEGER NOT NULL,
    size INTEGER NOT NULL,   -- bytes of body
    dropped TEXT,            -- set of numbers whose message could not be read and is as good as deleted
    body BLOB NOT NULL,      -- edge.outbox.body
    lane INTEGER GENERATED ALWAYS AS (id >> 62) VIRTUAL,
    epoch INTEGER GENERATED ALWAYS AS ((id >> 38) & 16777215) VIRTUAL,
    first INTEGER GENERATED ALWAYS AS (id & 274877906943) VIRTUAL,
    CHECK (last >= first)
) STRICT;

-- What was deleted or thinned and no event has told yet; written with the deletion, deleted with the event.
CREATE TABLE loss (
    id INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL,
    lane INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
