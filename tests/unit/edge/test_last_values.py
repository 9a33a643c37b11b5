"""What devices showed last outlives the agent, in the transaction of what told it."""

from __future__ import annotations

from pathlib import Path

from edge import last_values
from edge.board import Board, DeviceCondition
from edge.outbox.stamp import unresolved
from protocols.events import Reading
from tests.unit.edge.test_pipeline import TYPES, Bench, reading, smoke


def kept(folder: Path, device: str) -> dict[str, Reading]:
    """What a new agent finds."""
    bench = Bench(folder, started=False)
    found = last_values.read(device, TYPES[device], bench.outbox.driver_state(last_values.name_of(device)))
    bench.outbox.close()
    return found


def test_a_state_is_kept_with_its_commit_and_a_measured_value_when_the_agent_ends(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pipeline.emit("d", [smoke(True, 7), reading(5.0)], durable=True)
    state, value = smoke(True, 7), reading(5.0)
    name = last_values.name_of
    assert bench.outbox.driver_state(name(state.device))["values"] == {state.metric: [True, 7, "good"]}
    bench.pipeline.emit("d", [reading(6.0)])
    bench.close()
    assert kept(tmp_path, state.device) == {state.metric: state}
    assert kept(tmp_path, value.device)[value.metric].value == 6.0


def test_a_device_of_another_type_has_shown_nothing() -> None:
    assert last_values.read("x", "door", {"type": "smoke", "values": {"smoke": [True, 7, "good"]}}) == {}
    assert last_values.read("x", "door", {}) == {}


def test_a_time_that_nobody_knew_is_no_time() -> None:
    state = {"type": "door", "values": {"contact-open": [False, unresolved(5), "good"]}}
    assert last_values.read("x", "door", state)["contact-open"].at_ms == 0


def test_what_is_told_now_counts_before_what_was_told_then() -> None:
    board = Board({"x": DeviceCondition(driver="d", type="door")}, {})
    then = {name: Reading(device="x", metric=name, value=False, at_ms=1) for name in ("contact-open", "tamper")}
    board.remember("x", then)
    assert board.latest("x") == {}
    now = Reading(device="x", metric="tamper", value=True, at_ms=2)
    board.stored([now])
    assert board.known("x") == {"contact-open": then["contact-open"], "tamper": now}
    board.arrange({"x": DeviceCondition(driver="d", type="smoke")}, {}, fresh={"d"})
    assert board.known("x") == {"tamper": now}
