"""Detectors, sirens, valves, meters and buttons behind a stand-in for zigbee2mqtt on the gateway's field broker."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.field_client import FieldBroker
from simulators.hardware.port import Ledger
from simulators.hardware.zigbee.bridge import ZigbeeBridge
from simulators.hardware.zigbee.devices import ZigbeeDevice, make_device

__all__ = ["ZigbeeBridge", "ZigbeeDevice", "make", "make_device"]


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str
    topic: str = ""


class _Settings(FieldBroker):
    base_topic: str = "zigbee2mqtt"
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> ZigbeeBridge:
    """The bridge of a ``[[hardware]]`` table: `device` rows (`id`, `type`, `topic`), and how to reach the broker.

    Raises ConfigError for a type without a stand-in and for a password file that cannot be read.
    """
    read = _Settings.model_validate(settings)
    devices = [make_device(row.id, row.type, row.topic or row.id, rng) for row in read.device]
    return ZigbeeBridge(read, devices, ledger=ledger, base_topic=read.base_topic)
