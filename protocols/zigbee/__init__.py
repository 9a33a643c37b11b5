"""zigbee2mqtt: its topics and payloads, what they say in the words of the catalogue, and what it can be told."""

from __future__ import annotations

from protocols.zigbee.meaning import TYPES, calls, fields_of, observations, read_metrics, type_told
from protocols.zigbee.orders import (
    ASKABLE,
    SWITCHED,
    Closes,
    Siren,
    get_command,
    siren_command,
    upright,
    valve_command,
)
from protocols.zigbee.topics import (
    BridgeEvent,
    Payload,
    Row,
    Topic,
    read_availability,
    read_bridge_event,
    read_devices,
    read_payload,
    read_topic,
)

__all__ = [
    "ASKABLE",
    "SWITCHED",
    "TYPES",
    "BridgeEvent",
    "Closes",
    "Payload",
    "Row",
    "Siren",
    "Topic",
    "calls",
    "fields_of",
    "get_command",
    "observations",
    "read_availability",
    "read_bridge_event",
    "read_devices",
    "read_metrics",
    "read_payload",
    "read_topic",
    "siren_command",
    "type_told",
    "upright",
    "valve_command",
]
