"""The fault lab: a street that is broken on purpose, and a ledger that says whether anything was lost."""
