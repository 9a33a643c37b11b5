"""The outbox of notifications: a row per person and channel, queued → sent → delivered → read → answered."""
