"""Real services for tests: each fixture starts its own on a free port and stops it."""
