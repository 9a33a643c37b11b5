"""Delivered sets on the gateway: received in pieces, applied in one step, kept through cuts and restarts."""

from __future__ import annotations

import json
import queue
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.osdp.people import People
from edge.sets.content import fitting
from edge.sets.delivery import Delivery
from edge.sets.receiving import Receiving
from edge.sets.store import SetStore
from protocols import sets
from protocols.access.beside import UNUSABLE
from protocols.access.wiegand import parse_card
from protocols.errors import StorageError, UnavailableError
from protocols.events import Event
from protocols.rules import Rule
from protocols.sets import Kind

HOST = "liandong"
TYPES = {"smoke-1": "smoke", "siren-1": "siren"}
PATIENCE_S = 20.0
RULE: dict[str, Any] = {
    "code": "siren",
    "where": {"devices": ["smoke-1"]},
    "when": {"type": "state", "metric": "smoke"},
    "actions": [{"device": "siren-1", "output": "sound"}],
}


def people(count: int, **first: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"id": f"p-{n}", "cards": [f"H10301:1:{n}"]} for n in range(count)]
    return [found[0] | first, *found[1:]]


class Gateway:
    """The receiving part of an agent over a real file; `start` begins a new process's life."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 0.0
        self.copy = path.with_name(f"{path.name}.cardholders.copy")
        self.told: queue.Queue[Event] = queue.Queue()
        self.works: list[Kind] = []
        self.failures: list[Exception] = []
        self.number = 0

    def start(self) -> None:
        self.store = SetStore(self.path)
        self.receiving = Receiving(
            self.store, self, host=HOST, tell=self.told.put, now_ms=lambda: 0, clock=lambda: self.now
        )
        self.receiving.start()
        for kind in sets.KINDS_OF_SETS:
            assert self.said(sets.RUNNING)["kind"] == kind

    def stop(self) -> None:
        self.receiving.close()
        self.store.close()

    def check_delivered(self, rules: Sequence[Rule], number: int) -> None:
        faults = fitting((), rules, TYPES, number)[1]
        if faults:
            raise faults[0]

    def delivered(self, kind: Kind) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.works.append(kind)

    def said(self, *kinds: str) -> Any:
        event = self.told.get(timeout=PATIENCE_S)
        assert event.kind in kinds, event
        return event.data

    def hear(self, said: dict[str, Any], **more: Any) -> None:
        self.receiving.hear(json.dumps({"host": HOST, **said, **more}))

    def offer(self, kind: Kind, items: list[dict[str, Any]], number: int | None = None) -> dict[str, Any]:
        """Offer a version; what follows belongs to it."""
        self.number = number if number is not None else self.number + 1
        key = {"cardholders": "id", "rules": "code", "places": "place"}[kind]
        self.pages = sets.pages_of({"time_zone": "Asia/Shanghai"}, items, lambda one: str(one[key]))
        self.offered: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "kind": kind,
            "number": self.number,
            "pages": [sets.name_of(page) for page in self.pages],
        }
        self.hear(self.offered)
        return self.said(sets.READY, sets.APPLIED, sets.REFUSED)  # type: ignore[no-any-return]

    def send(self, ready: dict[str, Any], keep: Callable[[int], bool] = lambda _: True) -> None:
        about = {"id": ready["id"], "ticket": ready["ticket"]}
        for page in filter(keep, ready["wants"]):
            self.hear(about, page=page, text=sets.pack(self.pages[page]))
        self.hear(about, sent=True)

    def give(self, kind: Kind, items: list[dict[str, Any]], number: int | None = None) -> tuple[Any, int]:
        """Deliver a set; its outcome, and how many pages went over the wire."""
        ready, sent = self.offer(kind, items, number), 0
        while "ticket" in ready:
            sent += len(ready["wants"])
            self.send(ready)
            ready = self.said(sets.READY, sets.APPLIED, sets.REFUSED)
        return ready, sent

    def owner(self, card: str) -> str | None:
        store = self.receiving.cardholders
        found = None if store is None else store.owner_of_card(parse_card(card).identity)
        return None if found is None else found[0].id


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path / "sets.db")
    gateway.start()
    yield gateway
    gateway.stop()


def test_a_large_set_arrives_and_a_change_costs_one_page(gateway: Gateway) -> None:
    applied, sent = gateway.give("cardholders", people(3000))
    assert (applied["count"], applied["number"], sent) == (3000, 1, 33)
    assert gateway.owner("H10301:1:7") == "p-7"
    applied, sent = gateway.give("cardholders", people(3000, enabled=False))
    assert (applied["number"], sent) == (2, 1)
    assert gateway.works == ["cardholders", "cardholders"]
    gateway.stop()
    gateway.start()
    assert gateway.owner("H10301:1:7") == "p-7"
    assert gateway.receiving.number("cardholders") == 2
    assert gateway.path.stat().st_mode & 0o077 == 0


def test_a_cut_transfer_goes_on_where_it_was_also_after_a_restart(gateway: Gateway) -> None:
    ready = gateway.offer("cardholders", people(2000))
    assert ready["wants"] == list(range(8))
    gateway.send(ready, lambda page: page < 5)
    assert gateway.said(sets.READY)["wants"] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert gateway.receiving.cardholders is None, "nothing counts before the whole is there"
    gateway.stop()
    gateway.start()
    gateway.hear(gateway.offered)
    again = gateway.said(sets.READY)
    assert again["wants"][0] == 5
    assert again["ticket"] != ready["ticket"]
    while "ticket" in again:
        gateway.send(again)
        again = gateway.said(sets.READY, sets.APPLIED)
    assert again["count"] == 2000


def test_a_page_that_the_disk_has_spoilt_comes_again(gateway: Gateway) -> None:
    items = people(1000)
    gateway.give("cardholders", items)
    gateway.stop()
    with closing(sqlite3.connect(gateway.path)) as file, file:
        assert file.execute("UPDATE page SET body = x'00' WHERE hash = ?", (gateway.offered["pages"][3],)).rowcount == 1
    gateway.copy.unlink()
    gateway.start()
    assert gateway.receiving.cardholders is UNUSABLE
    applied, sent = gateway.give("cardholders", items, 1)
    assert (applied["count"], sent) == (1000, 1)
    assert gateway.owner("H10301:1:7") == "p-7"


def test_late_replayed_and_foreign_messages_change_nothing(gateway: Gateway) -> None:
    ready = gateway.offer("cardholders", people(1))
    for said in ({"ticket": str(uuid.uuid4()), "id": ready["id"], "sent": True}, {"nonsense": 1}):
        gateway.hear(said)
    gateway.hear({"id": ready["id"], "ticket": ready["ticket"], "page": 1, "text": sets.pack(gateway.pages[0])})
    gateway.hear({"id": ready["id"], "ticket": ready["ticket"], "page": 99, "text": "x"})
    gateway.receiving.hear(json.dumps({**gateway.offered, "host": "another"}))
    gateway.send(ready)
    assert gateway.said(sets.APPLIED)["count"] == 1
    gateway.send(ready)
    first = gateway.offered
    assert gateway.give("cardholders", people(2))[0]["number"] == 2
    gateway.hear(first)
    refused = gateway.said(sets.REFUSED)
    assert (refused["error"], refused["held"]) == ("edge.sets.older", 2)
    gateway.hear(gateway.offered)
    assert gateway.said(sets.APPLIED)["count"] == 2, "what is wanted already counts"
    late = gateway.offer("cardholders", people(3))
    gateway.now += sets.TICKET_S
    gateway.send(late)
    gateway.hear(gateway.offered)
    assert gateway.said(sets.READY)["ticket"] != late["ticket"]
    assert gateway.owner("H10301:1:2") is None


@pytest.mark.parametrize(
    ("items", "code", "named"),
    [
        (people(1, schedule="night"), "protocols.access.cardholders", "night"),
        (people(2, cards=["H10301:1:1"]), "protocols.access.cardholders", "H10301:1:1"),
        (people(1, codes=["271828"]), "edge.sets.codes", "p-0"),
        (people(1, cards=["x"]), "edge.sets.unusable", "cardholder.0.cards.0"),
    ],
)
def test_people_that_cannot_be_used_are_refused_and_the_set_before_stays(
    gateway: Gateway, items: list[dict[str, Any]], code: str, named: str
) -> None:
    gateway.give("cardholders", people(5))
    refused, _ = gateway.give("cardholders", items)
    assert refused["error"] == code
    assert named in " ".join(refused["params"].values())
    assert "271828" not in json.dumps(refused)
    assert gateway.owner("H10301:1:4") == "p-4"
    gateway.stop()
    gateway.start()
    assert gateway.owner("H10301:1:4") == "p-4"


def test_a_rule_that_names_an_unknown_device_is_refused_and_says_which(gateway: Gateway) -> None:
    assert gateway.give("rules", [RULE])[0]["count"] == 1
    bad = {**RULE, "code": "bell", "actions": [{"device": "siren-9", "output": "sound"}]}
    refused, _ = gateway.give("rules", [RULE, bad])
    assert (refused["error"], refused["params"]["key"]) == ("edge.config.not-allowed", "bell.actions[0].device")
    assert [rule.code for rule in gateway.receiving.rules] == ["siren"]


def test_places_arrive_are_listed_in_order_and_what_is_none_is_refused(gateway: Gateway) -> None:
    places = [{"place": place, "name": {"en": place}} for place in ("3/1/502", "3", "3/1")]
    assert gateway.give("places", places)[0]["count"] == 3
    assert gateway.works == ["places"]
    assert [row["place"] for row in gateway.receiving.places.rows] == ["3", "3/1", "3/1/502"]
    for wrong in ({"place": "3//1", "name": {}}, {"place": "3"}, {"place": 3, "name": {}}, {"place": "3", "name": "x"}):
        refused, _ = gateway.give("places", [wrong])
        assert (refused["error"], refused["held"]) == ("edge.sets.unusable", 1)
    gateway.stop()
    gateway.start()
    assert len(gateway.receiving.places.rows) == 3


def test_a_rule_of_the_gateways_own_counts_before_one_from_the_cloud() -> None:
    rule = Rule.model_validate(RULE)
    other = rule.model_copy(update={"code": "other"})
    fit, faults = fitting([rule], [rule, other], TYPES, 3)
    assert fit == [other]
    assert [fault.code for fault in faults] == ["edge.sets.rule-here"]


def test_a_damaged_file_is_filled_from_the_copy_beside_it(gateway: Gateway) -> None:
    gateway.give("cardholders", people(3))
    gateway.give("rules", [RULE], 1)
    numbers = [gateway.receiving.number(kind) for kind in ("cardholders", "rules")]
    gateway.stop()
    gateway.path.write_bytes(b"this is no database" * 100)
    gateway.start()
    assert [gateway.receiving.number(kind) for kind in ("cardholders", "rules")] == numbers
    assert gateway.receiving.cardholders is not UNUSABLE
    assert gateway.copy.stat().st_mode & 0o077 == 0


def test_a_damaged_page_is_taken_from_the_copy_and_an_older_copy_never_is(gateway: Gateway) -> None:
    gateway.give("cardholders", people(3))
    before = gateway.copy.read_bytes()
    gateway.give("cardholders", people(4), 2)
    assert gateway.copy.read_bytes() != before
    gateway.stop()
    with closing(sqlite3.connect(gateway.path)) as file, file:
        file.execute("UPDATE page SET body = x'00'")
    gateway.start()
    assert gateway.receiving.number("cardholders") == 2
    assert gateway.receiving.cardholders is not UNUSABLE
    gateway.stop()
    gateway.copy.write_bytes(gateway.copy.read_bytes()[:-1])
    gateway.path.write_bytes(b"this is no database" * 100)
    gateway.start()
    assert gateway.receiving.cardholders is UNUSABLE, "a copy that is not whole is none"


def test_a_damaged_file_without_a_copy_is_set_aside_and_filled_again(gateway: Gateway) -> None:
    gateway.give("cardholders", people(3))
    gateway.stop()
    gateway.copy.unlink()
    gateway.path.write_bytes(b"this is no database" * 100)
    for _ in range(2):
        gateway.start()
        assert gateway.receiving.number("cardholders") == 0
        assert gateway.receiving.cardholders is UNUSABLE, "also at the second start, with a new file"
        gateway.stop()
    gateway.start()
    assert gateway.give("cardholders", people(3), 1)[0]["count"] == 3
    gateway.stop()
    with closing(sqlite3.connect(gateway.path)) as file:
        assert file.execute("SELECT count(*) FROM page").fetchone() == (2,)
    gateway.start()


def test_while_a_delivered_set_is_unusable_nobody_of_the_file_passes(gateway: Gateway, tmp_path: Path) -> None:
    listed = tmp_path / "cardholders.toml"
    listed.write_text('[[cardholder]]\nid = "p-7"\ncards = ["H10301:1:7", "H10301:1:8"]\ncodes = ["271828"]\n')
    listed.chmod(0o600)
    card = parse_card("H10301:1:8").identity
    with closing(People(listed)) as doors, closing(People(listed, delivered=False)) as alone:

        def owners() -> list[bool]:
            for line in (doors, alone):
                line.deliver(gateway.receiving.cardholders)
                line.changed(0.0)
            return [line.roll.owner_of_card(card) is not None for line in (doors, alone)]

        assert owners() == [True, True], "nothing was ever delivered"
        gateway.give("cardholders", people(8))
        assert owners() == [False, True], "the cloud has taken it away"
        gateway.stop()
        gateway.copy.unlink()
        gateway.path.write_bytes(b"this is no database" * 100)
        gateway.start()
        assert owners() == [False, True]
        assert doors.roll.owner_of_code("271828") is None
        assert (doors.roll.people, doors.versions["delivered"]) == (0, "unusable")
        gateway.give("cardholders", people(9), 1)
        assert owners() == [True, True]


def test_rules_are_told_as_applied_once_they_are_in_force(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sets.receiving._RETRY_S", 0.01)
    gateway.failures += [
        StorageError("edge.storage.unusable", file="x", why="x"),
        UnavailableError("edge.pipeline.behind"),
    ]
    assert gateway.give("rules", [RULE])[0]["number"] == 1
    assert (gateway.works, gateway.failures) == (["rules"], [])
    gateway.failures += [ValueError("a fault"), ValueError("still there")]
    ready = gateway.offer("rules", [{**RULE, "code": "other"}])
    gateway.send(ready)
    gateway.hear(gateway.offered)
    gateway.hear(gateway.offered)
    assert gateway.said(sets.APPLIED)["number"] == 2
    assert (gateway.works, gateway.failures) == (["rules", "rules"], [])


def test_rules_whose_device_went_away_stand_aside_and_come_back(tmp_path: Path) -> None:
    told: queue.Queue[Event] = queue.Queue()
    types = dict(TYPES)
    judged: list[int] = []
    delivery = Delivery(
        tmp_path / "sets.db",
        host=HOST,
        types=types,
        judge=lambda: judged.append(1),
        deliver=lambda: None,
        list_places=lambda listed: None,
        tell=told.put,
        now_ms=lambda: 0,
    )
    page = sets.pages_of({}, [RULE], lambda one: str(one["code"]))
    offer = {
        "host": HOST,
        "id": str(uuid.uuid4()),
        "kind": "rules",
        "number": 1,
        "pages": list(map(sets.name_of, page)),
    }

    def until(kind: str) -> Any:
        while (event := told.get(timeout=PATIENCE_S)).kind != kind:
            pass
        return event.data

    delivery.start()
    try:
        delivery.hear(json.dumps(offer))
        about = {"host": HOST, "id": offer["id"], "ticket": until(sets.READY)["ticket"]}
        for number, body in enumerate(page):
            delivery.hear(json.dumps(about | {"page": number, "text": sets.pack(body)}))
        delivery.hear(json.dumps(about | {"sent": True}))
        assert until(sets.APPLIED)["count"] == 1
        assert judged == [1]
        assert [rule.code for rule in delivery.rules(())] == ["siren"]
        del types["siren-1"]
        assert delivery.rules(()) == []
        unfit = until(sets.UNFIT)
        assert (unfit["count"], unfit["error"], unfit["params"]["key"]) == (
            1,
            "edge.config.not-allowed",
            "siren.actions[0].device",
        )
        types["siren-1"] = "siren"
        assert [rule.code for rule in delivery.rules(())] == ["siren"]
        assert until(sets.UNFIT)["count"] == 0
    finally:
        delivery.close()
