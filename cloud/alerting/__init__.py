"""From observations to alarms and incidents: pure decisions over a port of storage."""
