"""A configuration on trial: the state machine, and what is on the disk at each of its steps."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.config_change import change
from edge.config_store import Versions
from edge.config_trial import Attempt, Record, Trial, Version, begin, confirm, fall_back, started
from protocols import configuration
from protocols.errors import ConfigError, DeviceError, RefusedError, UnavailableError

DOCUMENT: dict[str, Any] = {
    "gateway": {"group": "g", "node": "n", "data": "data"},
    "uplink": {"host": "127.0.0.1", "port": 1883},
}


def attempt(number: int, document: dict[str, Any] | None = None) -> Attempt:
    digest = configuration.content_hash(document) if document is not None else f"{number:064x}"
    return Attempt(id=uuid.UUID(int=number), version=Version(number=number, hash=digest), hold_s=60)


class Trials(RuleBasedStateMachine):
    """Any order of wishes, proofs, failures, kills and hands on the spot: what runs is what was proved last."""

    @initialize()
    def fresh(self) -> None:
        self.base = 0
        self.record = Record(running=Version(number=0, hash="0"), base="0")
        self.proved = self.record.running

    @rule(number=st.integers(1, 6))
    def offered(self, number: int) -> None:
        if self.record.trying is None and number > self.record.running.number:
            self.record = begin(self.record, attempt(number))
        else:
            with pytest.raises(RefusedError):
                begin(self.record, attempt(number))

    @precondition(lambda self: self.record.trying is not None)
    @rule()
    def proves(self) -> None:
        assert self.record.trying is not None
        before, tried = self.proved, self.record.trying.version
        self.record = confirm(self.record, str(self.base))
        self.proved = tried
        assert self.record.previous == before

    @precondition(lambda self: self.record.trying is not None)
    @rule()
    def fails(self) -> None:
        self.record = fall_back(self.record, DeviceError("edge.config.device-away", devices="a", seconds=1))
        assert self.record.last is not None
        assert self.record.last.error == "edge.config.device-away"

    @rule()
    def killed(self) -> None:
        was_trying = self.record.trying
        self.record = started(self.record, str(self.base))
        if was_trying is not None:
            assert self.record.last is not None
            assert (self.record.last.kind, self.record.last.attempt) == (configuration.ROLLED_BACK, was_trying)

    @rule()
    def edited_on_the_spot(self) -> None:
        self.base += 1
        self.record = started(self.record, str(self.base))
        self.proved = Version(number=0, hash=str(self.base))

    @invariant()
    def runs_what_was_proved(self) -> None:
        assert self.record.running == self.proved


TestTrials = Trials.TestCase
TestTrials.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_trial_waits_confirms_or_says_what_is_missing() -> None:
    trial = Trial(devices=frozenset({"a", "b"}), births=2, until=100.0, hold_s=60)
    on = {"a": True, "b": True, "c": False}
    assert trial.judge(births=3, answered=True, online=on, now=0) == "confirm"
    assert trial.judge(births=2, answered=True, online=on, now=0) == "wait", "the old birth proves nothing"
    assert trial.judge(births=3, answered=False, online=on, now=99.9) == "wait"
    assert trial.judge(births=3, answered=True, online=on | {"b": None}, now=0) == "wait"
    assert trial.judge(births=3, answered=True, online=on, now=500) == "confirm", "late, and proved all the same"
    with pytest.raises(UnavailableError, match="not reached"):
        trial.judge(births=3, answered=False, online=on, now=100)
    with pytest.raises(DeviceError) as caught:
        trial.judge(births=3, answered=True, online={"a": False}, now=100)
    assert caught.value.params["devices"] == "a, b"


def versions(folder: Path, document: dict[str, Any] | None = None) -> Versions:
    path = folder / "gateway.toml"
    if document is not None or not path.exists():
        path.write_text(configuration.to_toml(document or DOCUMENT), "utf-8")
    return Versions(path)


def wanted(**uplink: Any) -> dict[str, Any]:
    return DOCUMENT | {"uplink": DOCUMENT["uplink"] | uplink}


def test_what_is_on_the_disk_at_each_step(tmp_path: Path) -> None:
    store = versions(tmp_path)
    assert store.start().uplink.port == 1883
    new = wanted(port=2000)
    text = configuration.to_toml(new)
    store.begin(attempt(1, new), text)
    assert versions(tmp_path).start().uplink.port == 1883, "killed while it was on trial"
    store.start()
    store.begin(attempt(2, new), text)
    store.confirm()
    assert versions(tmp_path).start().uplink.port == 2000
    newer = wanted(port=3000)
    store.begin(attempt(3, newer), configuration.to_toml(newer))
    assert store.fall_back(UnavailableError("edge.config.uplink-away", seconds=60)).uplink.port == 2000
    again = versions(tmp_path)
    assert again.start().uplink.port == 2000
    assert again.record.last is not None
    assert (again.record.last.attempt.version.number, again.record.last.error) == (3, "edge.config.uplink-away")
    assert versions(tmp_path, DOCUMENT | {"outbox": {"quota_mb": 9.0}}).start().uplink.port == 1883, (
        "a hand on the spot"
    )


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"running": 5}'])
def test_a_damaged_state_or_text_leaves_what_stands_on_the_spot(tmp_path: Path, damage: str) -> None:
    store = versions(tmp_path)
    new = wanted(port=2000)
    store.begin(attempt(1, new), configuration.to_toml(new))
    store.confirm()
    state = tmp_path / "data" / "configuration" / "state.json"
    whole = state.read_text("utf-8")
    state.write_text(damage, "utf-8")
    assert versions(tmp_path).start().uplink.port == 1883
    state.write_text(whole, "utf-8")
    (text,) = state.parent.glob("*.toml")
    text.write_text(damage or "port = 1", "utf-8")
    assert versions(tmp_path).start().uplink.port == 1883


def test_only_the_last_two_texts_are_kept(tmp_path: Path) -> None:
    store = versions(tmp_path)
    for number in range(1, 6):
        new = wanted(port=2000 + number)
        store.begin(attempt(number, new), configuration.to_toml(new))
        store.confirm()
    assert len(list((tmp_path / "data" / "configuration").glob("*.toml"))) == 2
    assert not list((tmp_path / "data" / "configuration").glob("*.new"))


@pytest.mark.parametrize(
    ("changed", "code", "key"),
    [
        ({"gateway": DOCUMENT["gateway"] | {"data": "/tmp/x"}}, "edge.config.fixed", "gateway.data"),
        ({"gateway": DOCUMENT["gateway"] | {"group": "h"}}, "edge.config.fixed", "gateway.group"),
        ({"uplink": DOCUMENT["uplink"] | {"password": "hunter2"}}, "edge.config.secret", "uplink.password"),
        ({"uplink": DOCUMENT["uplink"] | {"port": 0}}, "edge.config.out-of-bounds", "uplink.port"),
        (
            {"uplink": DOCUMENT["uplink"] | {"password_file": "gone"}},
            "edge.config.file-missing",
            "uplink.password_file",
        ),
    ],
)
def test_what_a_gateway_refuses_and_how_it_says_so(tmp_path: Path, changed: Any, code: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        versions(tmp_path).check(configuration.to_toml(DOCUMENT | changed), 7)
    assert (caught.value.code, caught.value.params["key"], caught.value.params["file"]) == (code, key, "#7")
    assert "hunter2" not in json.dumps({key: str(value) for key, value in caught.value.params.items()})


def test_what_changes_under_way_and_what_needs_another_agent(tmp_path: Path) -> None:
    store = versions(tmp_path)

    def between(new: dict[str, Any]) -> Any:
        return change(store.start(), store.check(configuration.to_toml(new), 1))

    assert not between(DOCUMENT).whole
    moved = between(wanted(port=2, keepalive_s=60))
    assert (moved.uplink, moved.whole, moved.stopped) == (True, False, frozenset())
    for new in (wanted(primary_host="b"), wanted(flush_s=2.0), DOCUMENT | {"outbox": {"quota_mb": 9.0}}):
        assert between(new).whole
    driver = {"family": "vending", "name": "v", "port": "/dev/x", "device": [{"id": "m", "type": "vending"}]}
    made = between(DOCUMENT | {"driver": [driver]})
    assert ([entry.name for entry in made.started], made.rules, made.whole) == (["v"], True, False)
