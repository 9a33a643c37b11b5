"""Nodes made with other people's libraries feed our cloud; what they do otherwise is known, and listed in the docs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloud.ingest.worker import IngestWorker
from tests.integration.ingest.gateway import wait_for
from tests.integration.others.conftest import Gate, Peer, Wire
from tools.sparkplug_table import read

Rows = Callable[[str], list[dict[str, Any]]]
pytestmark = pytest.mark.needs("others", "mosquitto")

READINGS = """
SELECT g.code AS node, d.code AS device, metric, value
FROM reading JOIN series s ON s.id = series_id JOIN device d ON d.id = device_id JOIN gateway g ON g.id = gateway_id
ORDER BY ts
"""
NPM = {("Flow", -12.0), ("Flow", -13.0), ("Heat", 20.5), ("Heat", 21.5), ("Heat", 22.5), ("Count", 4294967295.0)}
WRAPPER = {("DATA/Flow", -12.0), ("DATA/Heat", 20.5), ("Flow", -13.0), ("Heat", 21.5)}


@pytest.mark.parametrize(
    ("name", "script", "values"),
    [
        ("pysparkplug", "pysparkplug_node.py", {("Flow", -12.0), ("Flow", -13.0), ("Heat", 20.5), ("Heat", 21.5)}),
        ("spb-wrapper", "spb_wrapper_node.py", WRAPPER),
        ("aiospb", "aiospb_node.py", {("Flow", 19.5), ("Flow", 21.5)}),
        ("sparkplug-client", "sparkplug_client_node.js", NPM),
    ],
)
def test_their_node_feeds_our_cloud(
    name: str,
    script: str,
    values: set[tuple[str, float]],
    worker: IngestWorker,
    rows: Rows,
    gate: Gate,
    wire: Wire,
) -> None:
    peer = Peer(name, script, str(gate.port))
    try:
        wait_for(lambda: values <= {(row["metric"], row["value"]) for row in rows(READINGS)}, f"{name}'s values")
        assert {row["node"] for row in rows(READINGS)} == {name}
        if name == "sparkplug-client":
            (event,) = rows("SELECT data FROM event WHERE kind = 'sparkplug.value'")
            assert event["data"]["value"] == {
                "columns": ["a", "b"],
                "types": ["INT16", "STRING"],
                "rows": [[-1, "x"], [2, ""]],
            }
            assert rows("SELECT unit FROM series WHERE metric = 'Heat'") == [{"unit": "K"}]
        assert not rows("SELECT FROM poison")
        peer.leave()
    finally:
        peer.kill()
    declared = set(read().others[name].rules)
    wait_for(lambda: declared <= wire.of_nodes(), f"{declared} of {name}")
    if "payloads-ndeath-bdseq" not in declared:  # else its death is that of a session that nobody knows
        wait_for(lambda: not rows("SELECT FROM gateway WHERE online"), f"{name} is gone")
    assert wire.of_nodes() == declared
