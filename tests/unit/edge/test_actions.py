"""What rules want of outputs: tried again, side by side, and no longer than it is wanted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from edge.actions import Actions, Task
from edge.outputs import Outputs, Wish
from protocols.catalog import DEVICE_TYPES
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.events import Value

TYPES = {"door-1": "door", "siren-1": "siren"}


class Street:
    """Devices that obey unless they are in `dead`; who is in `held` answers once a test lets it."""

    def __init__(self, pauses_s: tuple[float, ...] = (0.01, 0.01)) -> None:
        self.written: queue.Queue[tuple[str, str, Value]] = queue.Queue()
        self.tries: dict[str, int] = {}
        self.dead: set[str] = set()
        self.held: dict[str, threading.Event] = {}
        self.done: queue.Queue[tuple[Task, LiandongError | None]] = queue.Queue()
        self.overruled: list[Wish] = []
        self.outputs = Outputs(TYPES, self.act, self.overruled.append)
        self.actions = Actions(self.outputs, lambda task, error: self.done.put((task, error)), pauses_s=pauses_s)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        self.tries[output] = self.tries.get(output, 0) + 1
        if device in self.held:
            assert self.held[device].wait(20)
        if output == "refused":
            raise RefusedError("edge.driver.osdp.output", device=device, output=output, allowed="-")
        if output == "crash":
            raise ZeroDivisionError
        if output in self.dead or device in self.dead:
            raise DeviceError("edge.driver.down", driver=device)
        self.written.put((device, output, value))

    def fires(self, output: str, value: Value = True, *, device: str = "door-1", rule: str = "fire") -> Task:
        wish = self.outputs.want(device, output, value)
        task = Task(rule=rule, cause="smoke-1", index=0, device=device, output=output, value=value, number=wish.number)
        self.actions.submit(task)
        return task

    def orders(self, output: str, value: Value = True, *, device: str = "door-1") -> None:
        self.outputs.order(device, output, value, 5.0, by="command")


@pytest.fixture
def street() -> Iterator[Street]:
    made = Street()
    yield made
    for held in made.held.values():
        held.set()
    made.actions.close()


def eventually(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_an_action_is_tried_again_and_a_slow_device_holds_up_no_other(street: Street) -> None:
    street.held["siren-1"] = threading.Event()
    street.dead = {"dead", "late"}
    slow = street.fires("sound", device="siren-1")
    for index, output in enumerate(("dead", "late", "crash", "well")):
        street.fires(output, rule=f"rule-{index}")
    eventually(lambda: street.tries.get("late", 0) >= 1)
    street.dead.discard("late")
    found = {task.output: error for task, error in (street.done.get(timeout=20) for _ in range(4))}
    assert {output: error and error.code for output, error in found.items()} == {
        "well": None,
        "late": None,
        "dead": "edge.driver.down",
        "crash": "edge.rules.action-crashed",
    }
    assert (street.tries["dead"], street.tries["crash"], street.tries["well"]) == (3, 3, 1)
    street.held["siren-1"].set()
    assert street.done.get(timeout=20) == (slow, None)


def test_one_idle_worker_is_not_enough_for_two(street: Street) -> None:
    street.fires("beep")
    assert street.done.get(timeout=20)[1] is None  # its worker is idle now
    street.held["siren-1"] = threading.Event()
    street.fires("sound", device="siren-1")
    street.fires("release")
    assert street.done.get(timeout=20)[0].output == "release", "though the siren has not answered"


@pytest.mark.parametrize(
    ("output", "ended"), [("restore", True), ("release", False), ("unlock", False), ("beep", False)]
)
def test_a_later_order_ends_what_it_contradicts(street: Street, output: str, ended: bool) -> None:
    street.dead.add("release")
    street.held["door-1"] = threading.Event()
    task = street.fires("release")
    eventually(lambda: street.tries)

    def orders() -> None:
        with suppress(DeviceError):
            street.orders(output)

    order = threading.Thread(target=orders)
    order.start()
    eventually(lambda: len(street.outputs._writing) == 2)
    street.held.pop("door-1").set()
    order.join(20)
    if ended:
        eventually(lambda: not street.actions._waiting and not street.actions._flying)
        assert (street.tries["release"], street.written.get_nowait()) == (1, ("door-1", "restore", True))
        assert street.done.empty(), "the rules tell it"
        street.dead.clear()
        street.fires("release")
        assert street.done.get(timeout=20)[1] is None, "what burns later acts"
    else:
        assert street.done.get(timeout=20)[0] == task
        assert street.tries["release"] >= 3
    assert [wish.output for wish in street.overruled] == [output]


def test_of_a_value_its_opposite_is_ended_and_the_same_is_not(street: Street) -> None:
    first = street.outputs.want("siren-1", "sound", True)
    street.orders("sound", True, device="siren-1")
    assert not street.outputs.is_over(first.number, "siren-1", "sound")
    street.orders("sound", False, device="siren-1")
    street.orders("sound", True, device="siren-1")
    assert street.outputs.is_over(first.number, "siren-1", "sound"), "also when the first value is wanted again"
    with pytest.raises(RefusedError):
        street.outputs.write(first, 5.0)
    assert street.written.qsize() == 3


def test_what_is_refused_has_ended_nothing(street: Street) -> None:
    wish = street.outputs.want("door-1", "refused", True)
    with pytest.raises(RefusedError):
        street.orders("refused", False)
    assert not street.outputs.is_over(wish.number, "door-1", "refused")
    assert street.overruled == []


def test_an_order_waits_for_what_it_contradicts_to_be_handed_over(street: Street) -> None:
    handed = street.held["door-1"] = threading.Event()
    street.fires("release")
    eventually(lambda: street.tries)
    order = threading.Thread(target=street.orders, args=("restore",))
    order.start()
    handed.set()
    order.join(20)
    assert [street.written.get(timeout=20)[1] for _ in range(2)] == ["release", "restore"]


def test_a_rule_that_cleared_is_not_tried_again_but_was_tried(street: Street) -> None:
    street.dead.add("release")
    street.held["door-1"] = threading.Event()
    task = street.fires("release")
    eventually(lambda: street.tries)
    street.actions.withdraw("fire", "smoke-1")
    street.held.pop("door-1").set()
    told, error = street.done.get(timeout=20)
    assert (told, error and error.code, street.tries) == (task, "edge.rules.cleared", {"release": 1})
    street.dead.clear()
    street.fires("release")
    street.actions.withdraw("fire", "smoke-1")
    assert street.done.get(timeout=20)[1] is None, "however short, what fired has acted"


def test_two_rules_that_want_the_same_are_both_told(street: Street) -> None:
    street.dead.add("sound")
    for rule in ("smoke", "sos"):
        street.fires("sound", device="siren-1", rule=rule)
    assert {street.done.get(timeout=20)[0].rule for _ in range(2)} == {"smoke", "sos"}


def test_too_many_are_refused_by_a_worker_and_never_hold_up_who_judges(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.actions.WORKERS", 1)
    monkeypatch.setattr("edge.actions.MAX_WAITING", 1)
    street.held["door-1"] = threading.Event()
    street.fires("release")
    eventually(lambda: street.tries)
    street.fires("beep")
    street.fires("unlock")
    assert street.done.empty()
    street.held["door-1"].set()
    found = {task.output: error and error.code for task, error in (street.done.get(timeout=20) for _ in range(3))}
    assert found == {"release": None, "beep": None, "unlock": "edge.rules.too-many-actions"}


def test_who_yields_joins_a_wish_that_stands_and_cannot_end_it(street: Street) -> None:
    street.dead.add("siren-1")
    alarm = street.outputs.want("siren-1", "sound", True)
    with pytest.raises(DeviceError):
        street.outputs.order("siren-1", "sound", True, 5.0, by="commissioning", yields=True)
    with pytest.raises(RefusedError):
        street.outputs.end("siren-1", "sound", False, 5.0, by="commissioning")
    assert not street.outputs.is_over(alarm.number, "siren-1", "sound")


def test_the_catalogue_names_outputs_that_are_there() -> None:
    for row in DEVICE_TYPES.values():
        for output, others in row.ends:
            assert {output, *others} <= set(row.outputs)
            assert output not in others
