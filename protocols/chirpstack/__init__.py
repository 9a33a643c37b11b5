"""LoRaWAN devices through ChirpStack v4: its MQTT events, and the payloads of common devices. Pure."""

from __future__ import annotations

from protocols.chirpstack.codecs import CODECS, OBJECT, ObjectPick, guess, status, type_of, uplink
from protocols.chirpstack.events import TOPICS, LoraEvent, Topic, read_event, read_topic
from protocols.chirpstack.explain import decode_chirpstack

__all__ = [
    "CODECS",
    "OBJECT",
    "TOPICS",
    "LoraEvent",
    "ObjectPick",
    "Topic",
    "decode_chirpstack",
    "guess",
    "read_event",
    "read_topic",
    "status",
    "type_of",
    "uplink",
]
