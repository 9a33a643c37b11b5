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
