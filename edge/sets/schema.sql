CREATE TABLE page (                     -- parts of sets, by the hash of their content
    hash TEXT PRIMARY KEY,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE held (                     -- what the gateway works by
    kind   TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    pages  TEXT NOT NULL                -- hashes in their order, ' ' between
) WITHOUT ROWID;
CREATE TABLE coming (                   -- what is arriving: its pages outlive a cut and a restart
    kind  TEXT PRIMARY KEY,
    pages TEXT NOT NULL
) WITHOUT ROWID;
