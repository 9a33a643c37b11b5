"""From the broker to the database: receive, put in order, decode, commit in groups, acknowledge."""
