"""Sends what the outbox holds to the primary host: Sparkplug B over MQTT, confirmed from end to end."""
