"""The store between observing and sending."""
