"""Who somebody is (sessions, one-time links, passwords) and what they may (a role at a place of the tree)."""
