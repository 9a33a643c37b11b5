"""The database: schema, editions, transactions, and named SQL."""
