"""Hardware, people and faults that stand in for the real ones."""
