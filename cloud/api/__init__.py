"""REST, the live stream, the pages."""
