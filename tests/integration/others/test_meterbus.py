"""M-Bus against pyMeterBus: it reads our simulated meter, and says the same as we of telegrams from the field."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocols.mbus import decode_mbus
from simulators.hardware.line import PtyLine
from simulators.hardware.meters import MbusMeter, MeterBus
from tests.integration.modbus.agent import Ledger, until
from tests.integration.others.conftest import Peer

pytestmark = pytest.mark.needs("others")

CASES = Path(__file__).parents[2] / "cases" / "mbus" / "meters.txt"
TELEGRAMS = [line.partition("|")[0].strip() for line in CASES.read_text("utf-8").splitlines()]
PRIMARY, SECONDARY = 7, "12345678"
ANY_MAKER = "FFFFFFFF"


def test_it_reads_our_meter_and_telegrams_from_the_field(tmp_path: Path) -> None:
    ledger = Ledger()
    meter = MbusMeter("m", PRIMARY, SECONDARY, random.Random(1))
    bus = MeterBus(PtyLine(tmp_path / "mbus"), [meter], ledger=ledger, rng=random.Random(1), baud=115_200)
    bus.start()
    peer = Peer("meterbus", "meterbus_reader.py", str(tmp_path / "mbus"), str(PRIMARY), SECONDARY + ANY_MAKER)
    try:
        until(lambda: len(peer.said) >= 2, 30)
        for text in TELEGRAMS:
            peer.asks(text)
        until(lambda: len(peer.said) >= 2 + len(TELEGRAMS), 30)
        peer.leave()
    finally:
        peer.kill()
        bus.stop()
    by_number, by_name = (said["values"] for said in peer.said[:2])
    assert by_number["acknowledged"]
    assert by_name["acknowledged"]
    (energy, *_) = by_number["values"]
    assert ledger.values("m", "energy")[0] == pytest.approx(energy * 3.6e-6)
    assert by_name["values"][0] == energy + 1000, "each answer tells one kWh more"
    for text, said in zip(TELEGRAMS, peer.said[2:], strict=True):
        (frame,) = decode_mbus(bytes.fromhex(text))["frames"]
        if said["values"] is None:  # it ends at fixed structures and at values that it does not know
            assert frame["content"] == "fixed-data" or any(record["name"] is None for record in frame["records"])
            continue
        for record, value in zip(frame["records"], said["values"], strict=False):  # theirs end with the maker's own
            long = record["raw"].startswith("F0") and isinstance(record["value"], str)
            to_the_second = record["name"] == "date-time" and len(record["raw"]) == 12
            unread = long or to_the_second  # decision 25
            if record["value"] is not None and not unread:  # what are no digits and no dates, we do not say
                ours = record["value"] * 1_000_000 if record["unit"] == "MWh" else record["value"]
                assert simple(value) == simple(ours), record


def simple(value: Any) -> Any:
    """Numbers to five digits, times to the minute: what both can say."""
    if isinstance(value, int | float):
        return pytest.approx(value, rel=1e-5)
    try:
        return datetime.fromisoformat(value).isoformat(timespec="minutes")
    except (TypeError, ValueError):
        return value
