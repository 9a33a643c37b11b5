"""The agent that runs on a gateway: drivers, local rules, outbox, uplink."""
