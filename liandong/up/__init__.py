"""``liandong up``: everything on this machine, as processes that a supervisor starts, watches and stops."""
