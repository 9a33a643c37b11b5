"""A line that is recorded, and a recording that answers in its place."""
