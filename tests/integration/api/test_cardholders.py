"""Who may open which door, from the service to the gateway's disk: who may say so, what is stored, what arrives.

The gateway's receiving part is the real one; between it and the service the messages are carried by hand.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.registry import births
from cloud.registry import sets as registry
from cloud.storage.queries import load
from edge.sets.content import fitting
from edge.sets.receiving import Receiving
from edge.sets.store import SetStore
from protocols import sets
from protocols.access.cardholders import Cardholder
from protocols.access.wiegand import parse_card
from protocols.events import Event
from protocols.rules import Rule
from protocols.sets import Kind
from protocols.sparkplug.payload import decode
from tests.integration.api.conftest import Street, wait_for

ACCESS = "/api/v1/access"
GARDEN = "donggang/taoyuan/peach-garden"
SETS = "/api/v1/gateways/peach-garden/gw-2/sets"
RULES = "/api/v1/gateways/peach-garden/gw-2/rules"
SIREN: dict[str, Any] = {
    "code": "open-all",
    "where": {"devices": ["door-1"]},
    "when": {"type": "event", "kind": "access.forced"},
    "actions": [{"device": "door-2", "output": "beep"}],
}


class Gateway:
    """gw-2 with its two doors. `run` carries messages until nobody says anything more."""

    def __init__(self, street: Street, path: Path) -> None:
        self.street, self.path = street, path
        self.told: queue.Queue[Event] = queue.Queue()
        self.taken = 0
        self.kinds: list[str] = []
        self.start()

    def start(self) -> None:
        self.store = SetStore(self.path)
        self.receiving = Receiving(self.store, self, host="cloud", tell=self.told.put, now_ms=lambda: 0)
        self.receiving.start()

    def stop(self) -> None:
        self.receiving.close()
        self.store.close()

    def check_delivered(self, rules: Sequence[Rule], number: int) -> None:
        faults = fitting((), rules, {"door-1": "door", "door-2": "door"}, number)[1]
        if faults:
            raise faults[0]

    def delivered(self, kind: Kind) -> None:
        """Nobody else works by it here."""

    def run(self, ahead: timedelta = timedelta(0)) -> None:
        """Let timers pass, messages go down and events up until both sides are quiet."""
        busy = True
        while busy:
            handled = self.street.settle(datetime.now(UTC) + ahead)
            sent = self.street.sent[self.taken :]
            self.taken += len(sent)
            for message in sent:
                self.receiving.hear(decode(message.payload).metrics[0].value)
            busy = bool(self._heard() or handled or sent)

    def _heard(self) -> int:
        """What the gateway said to all that it has heard; `unfit` is its echo."""
        self.receiving.unfit(())
        events: list[Event] = []
        while (event := self.told.get(timeout=20.0)).kind != sets.UNFIT:
            events.append(event)
        (own,) = self.street.rows(
            "SELECT device.id FROM device JOIN gateway ON gateway.id = gateway_id"
            " WHERE gateway.code = 'gw-2' AND device.code = ''"
        )
        with self.street.database.transaction() as tx:
            at_ms = round(datetime.now(UTC).timestamp() * 1000)
            registry.take_told(tx, [(own["id"], event) for event in events], at_ms)
        self.kinds += [event.kind for event in events]
        return len(events)

    def owner(self, number: int) -> Cardholder | None:
        store = self.receiving.cardholders
        found = None if store is None else store.owner_of_card(parse_card(f"H10301:42:{number}").identity)
        return None if found is None else found[0]


@pytest.fixture
def quiet(street: Street) -> Iterator[Street]:
    """The web part without workers; gw-2 is there."""
    with street.database.transaction() as tx:
        births.node_born(tx, ("peach-garden", "gw-2"), datetime.now(UTC), bdseq=0, birth=None, declared={})
    with street.serving(workers=False) as served:
        yield served


@pytest.fixture
def gateway(quiet: Street, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(quiet, tmp_path / "sets.db")
    yield gateway
    gateway.stop()


@pytest.fixture
def console(quiet: Street) -> Iterator[httpx.Client]:
    """Chen Jing, who administers the street."""
    with quiet.signed_in("chenjing") as client:
        yield client


def put(client: httpx.Client, code: str, place: str = GARDEN, **holder: Any) -> httpx.Response:
    return client.put(f"{ACCESS}/cardholders/{code}", json={"place": place, "holder": {"code": code, **holder}})


def done(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_card_given_changed_and_taken_away_reaches_the_gateway(
    quiet: Street, gateway: Gateway, console: httpx.Client
) -> None:
    gateway.run()
    assert done(console.get(SETS))["cardholders"] | {"versions": []} == {
        "wanted": None,
        "reported": {"number": 0, "items": 0, "at": gateway_time(console), "unfit": None},
        "same": True,
        "difference": None,
        "versions": [],
    }
    odd = console.put(f"{ACCESS}/schedules/Day%20shift", json={"place": GARDEN, "hours": {}})
    assert odd.status_code == 422, "a name that the database would refuse"
    done(console.put(f"{ACCESS}/schedules/day", json={"place": GARDEN, "hours": {"mon": ["06:00-22:00"]}}))
    done(console.put(f"{ACCESS}/holidays", json={"place": GARDEN, "days": ["2026-10-01"]}))
    cards: dict[str, Any] = {"cards": ["H10301:42:1"], "duress_cards": ["H10301:42:2"]}
    done(put(console, "wang", name="王兰", doors=["door-1"], schedule="day", valid_until="2030-01-01", **cards))
    quiet.settle()
    waiting = done(console.get(SETS))["cardholders"]
    assert (waiting["wanted"]["state"], waiting["same"]) == ("sent", False)
    assert waiting["difference"]["missing"] == {"count": 1, "names": ["wang"]}
    gateway.run()
    person = gateway.owner(1)
    assert person is not None
    assert (person.id, person.name, person.doors, person.schedule) == ("wang", "", ("door-1",), "day")
    store = gateway.receiving.cardholders
    assert store is not None
    assert ([str(day) for day in store.holidays], store.time_zone) == (["2026-10-01"], "Asia/Shanghai")
    duress = store.owner_of_card(parse_card("H10301:42:2").identity)
    assert duress is not None
    assert duress[1]
    applied = done(console.get(SETS))["cardholders"]
    assert (applied["wanted"]["state"], applied["same"], applied["reported"]["items"]) == ("applied", True, 1)

    done(console.post(f"{ACCESS}/cardholders/wang/enabled", json={"enabled": False}))
    gateway.run()
    person = gateway.owner(1)
    assert person is not None
    assert not person.enabled
    done(put(console, "wang", doors=[], valid_until=None))
    gateway.run()
    person = gateway.owner(1)
    assert person is not None
    assert (person.doors, person.enabled, person.valid_until) == (("door-1", "door-2"), True, None), "its cards stayed"
    done(console.delete(f"{ACCESS}/cardholders/wang"))
    gateway.run()
    assert gateway.owner(1) is None
    versions = done(console.get(SETS))["cardholders"]["versions"]
    assert (versions[0]["number"], versions[0]["state"], versions[0]["items"]) == (4, "applied", 0)
    quiet.settle(datetime.now(UTC) + timedelta(hours=1))
    assert len(quiet.sent) == gateway.taken, "nothing is offered any more"
    (left,) = quiet.rows("SELECT count(*) FROM set_page WHERE kind = 'cardholders'")
    assert left["count"] == 1, "nobody's data stays behind"


def gateway_time(console: httpx.Client) -> str:
    return str(done(console.get(SETS))["cardholders"]["reported"]["at"])


def test_cards_are_masked_and_each_look_at_them_is_kept(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:12345"], duress_cards=["H10301:42:777"]))
    listed = console.get(f"{ACCESS}/cardholders", params={"place": GARDEN})
    (row,) = done(listed)["rows"]
    assert (row["cards"], row["duress_cards"]) == (["H10301:…345"], 1)
    assert "12345" not in listed.text
    assert {door["door"] for door in listed.json()["doors"]} >= {"gw-2/door-1", "gw-2/door-2"}
    shown = done(console.post(f"{ACCESS}/cardholders/wang/cards"))
    assert shown == {"code": "wang", "cards": ["H10301:42:12345"], "duress_cards": ["H10301:42:777"]}
    looks = quiet.rows("SELECT action, subject, detail FROM audit WHERE action LIKE 'cardholder%%' ORDER BY id")
    assert [row["action"] for row in looks] == ["cardholder.add", "cardholders.view", "cardholder.cards"]
    assert "12345" not in json.dumps(looks)
    told = quiet.rows("SELECT data::text FROM stream_event WHERE kind = 'set'")
    assert all("wang" not in row["data"] for row in told)


def make_installer(street: Street) -> None:
    """Wang Fang installs at one stairwell."""
    street.rows(
        "INSERT INTO role_grant SELECT person.id, 'installer', place.id FROM person, place"
        " WHERE login = 'wangfang' AND path = %(path)s RETURNING role",
        path=f"{GARDEN}/3/2",
    )


def test_who_may_do_it_where(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    make_installer(quiet)
    with quiet.signed_in("liming") as volunteer, quiet.signed_in("wangfang") as installer:
        everything = [
            ("GET", f"{ACCESS}/cardholders?place={GARDEN}", None),
            ("PUT", f"{ACCESS}/cardholders/a", {"place": GARDEN, "holder": {"code": "a"}}),
            ("POST", f"{ACCESS}/import", {"place": GARDEN, "text": "code\na\n"}),
            ("PUT", f"{ACCESS}/schedules/night", {"place": GARDEN, "hours": {}}),
            ("PUT", f"{ACCESS}/holidays", {"place": GARDEN, "days": []}),
        ]
        about = [
            ("POST", f"{ACCESS}/cardholders/wang/enabled", {"enabled": False}),
            ("POST", f"{ACCESS}/cardholders/wang/cards", {}),
            ("DELETE", f"{ACCESS}/cardholders/wang", None),
        ]
        for method, url, body in (*everything, *about):
            assert refused(volunteer.request(method, url, json=body)) == (403, "cloud.forbidden"), url
        for method, url, body in everything:
            assert refused(installer.request(method, url, json=body)) == (404, "cloud.place.unknown"), url
        for method, url, body in about:
            assert refused(installer.request(method, url, json=body)) == (404, "cloud.cardholder.unknown"), url
        assert refused(put(installer, "wang", f"{GARDEN}/3/2")) == (409, "cloud.cardholder.code-taken")
        assert refused(put(installer, "b", f"{GARDEN}/3/2", doors=["door-1"])) == (422, "cloud.cardholder.no-door")
        done(put(installer, "b", f"{GARDEN}/3/2", doors=["gw-2/door-2"]))
        assert refused(installer.get(SETS)) == (404, "cloud.device.unknown")
        rule = {"rule": SIREN}
        assert refused(installer.put(f"{RULES}/open-all", json=rule)) == (404, "cloud.device.unknown")
        assert refused(volunteer.put(f"{RULES}/open-all", json=rule)) == (403, "cloud.forbidden")
        assert refused(volunteer.get(SETS)) == (403, "cloud.forbidden")
    assert quiet.rows("SELECT enabled FROM cardholder WHERE code = 'wang'") == [{"enabled": True}]


def test_what_cannot_be_is_refused_as_a_whole(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    bad: list[tuple[dict[str, Any], str]] = [
        ({"cards": ["H10301:42:1"]}, "cloud.cardholder.card-taken"),
        ({"duress_cards": ["H10301:42:1"], "cards": []}, "cloud.cardholder.card-taken"),
        ({"cards": ["H10301:42:3", "H10301:42:3"]}, "cloud.cardholder.card-taken"),
        ({"doors": ["door-9"]}, "cloud.cardholder.no-door"),
        ({"schedule": "never"}, "cloud.cardholder.no-schedule"),
        ({"cards": ["x"]}, "protocols.access.card-text"),
        ({"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "cloud.invalid.days"),
        ({"codes": ["271828"]}, "cloud.invalid.spare"),
        ({"name": "\0"}, "cloud.invalid.character"),
    ]
    for holder, code in bad:
        assert refused(put(console, "li", **holder)) == (422, code)
    assert [row["code"] for row in quiet.rows("SELECT code FROM cardholder")] == ["wang"]


def test_who_has_a_card_at_another_place_is_not_told(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    make_installer(quiet)
    with quiet.signed_in("wangfang") as away:
        answer = put(away, "li", f"{GARDEN}/3/2", cards=["H10301:42:1"])
        assert refused(answer) == (422, "cloud.cardholder.card-taken-elsewhere")
        assert "wang" not in answer.text
        text = "code,cards\nzhou,H10301:42:2\nli,H10301:42:1\n"
        tried = done(away.post(f"{ACCESS}/import", json={"place": f"{GARDEN}/3/2", "text": text, "trial": True}))
        assert [(one["line"], one["error"]["code"]) for one in tried["faults"]] == [
            (3, "cloud.cardholder.card-taken-elsewhere")
        ]
    tried = sheet(console, "code,cards\nli,H10301:42:1\n", trial=True)
    assert [one["error"]["code"] for one in tried["faults"]] == ["cloud.cardholder.card-taken"]
    swapped = sheet(console, "code,cards\nli,H10301:42:1\nwang,\n", trial=True)
    assert swapped["faults"] == [], "wang gives it back in the same sheet"


def test_of_two_who_are_given_a_card_at_once_one_is_told(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "zhou"))
    (zhou,) = quiet.rows("SELECT id FROM cardholder")
    with ThreadPoolExecutor(1) as beside:
        with quiet.database.transaction() as tx:
            given = {"cards": ["H10301:42:1"], "ids": [zhou["id"]], "duress": [False]}
            tx.execute(load("cardholders")["give_cards"], given)
            answer = beside.submit(put, console, "li", cards=["H10301:42:1"])
            waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%cardholder_card%%'"
            wait_for(lambda: answer.done() or quiet.rows(waits))
        assert refused(answer.result(timeout=20)) == (422, "cloud.cardholder.card-taken")
    assert [row["code"] for row in quiet.rows("SELECT code FROM cardholder")] == ["zhou"]


def test_who_is_added_elsewhere_at_the_same_moment_stays_there(quiet: Street, console: httpx.Client) -> None:
    make_installer(quiet)
    (away,) = quiet.rows("SELECT id FROM place WHERE path = %(path)s", path=GARDEN)
    with quiet.signed_in("wangfang") as installer, ThreadPoolExecutor(1) as beside:
        with quiet.database.transaction() as tx:
            columns = "(code, place_id, name, changed_at)"
            tx.execute(f"INSERT INTO cardholder {columns} VALUES ('li', %(id)s, 'Li', now())", away)
            answer = beside.submit(put, installer, "li", f"{GARDEN}/3/2", name="Somebody")
            waits = (
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO cardholder %%'"
            )
            wait_for(lambda: answer.done() or quiet.rows(waits))
        assert refused(answer.result(timeout=20)) == (409, "cloud.cardholder.code-taken")
    assert quiet.rows("SELECT name, place_id FROM cardholder") == [{"name": "Li", "place_id": away["id"]}]


def test_hours_that_are_made_elsewhere_at_the_same_moment_stay_there(quiet: Street, console: httpx.Client) -> None:
    make_installer(quiet)
    (away,) = quiet.rows("SELECT id FROM place WHERE path = %(path)s", path=GARDEN)
    wanted = {"place": f"{GARDEN}/3/2", "hours": {"mon": ["00:00-24:00"]}}
    with quiet.signed_in("wangfang") as installer, ThreadPoolExecutor(1) as beside:
        with quiet.database.transaction() as tx:
            tx.execute("INSERT INTO access_schedule (code, place_id, hours) VALUES ('day', %(id)s, '{}')", away)
            answer = beside.submit(installer.put, f"{ACCESS}/schedules/day", json=wanted)
            waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%access_schedule%%'"
            wait_for(lambda: answer.done() or quiet.rows(waits))
        assert refused(answer.result(timeout=20)) == (409, "cloud.cardholder.code-taken")
    assert quiet.rows("SELECT hours, place_id FROM access_schedule") == [{"hours": {}, "place_id": away["id"]}]
    done(console.put(f"{ACCESS}/schedules/day", json={"place": GARDEN, "hours": {"mon": ["06:00-22:00"]}}))
    done(console.put(f"{ACCESS}/schedules/day", json={"place": GARDEN, "hours": {"tue": ["06:00-22:00"]}}))
    assert [row["hours"] for row in quiet.rows("SELECT hours FROM access_schedule")] == [{"tue": ["06:00-22:00"]}]


def test_hours_that_are_removed_at_the_same_moment_are_not_there(quiet: Street, console: httpx.Client) -> None:
    done(console.put(f"{ACCESS}/schedules/day", json={"place": GARDEN, "hours": {"mon": ["06:00-22:00"]}}))
    with ThreadPoolExecutor(1) as beside:
        with quiet.database.transaction() as tx:
            tx.execute("DELETE FROM access_schedule")
            answer = beside.submit(put, console, "li", schedule="day")
            waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: answer.done() or quiet.rows(waits))
        assert refused(answer.result(timeout=20)) == (422, "cloud.cardholder.no-schedule")
    assert quiet.rows("SELECT code FROM cardholder") == []


def test_cards_and_duress_cards_are_changed_each_for_themselves(quiet: Street, console: httpx.Client) -> None:
    def kept() -> tuple[list[str], list[str]]:
        shown = done(console.post(f"{ACCESS}/cardholders/wang/cards"))
        return shown["cards"], shown["duress_cards"]

    done(put(console, "wang", cards=["H10301:42:1"]))
    done(put(console, "wang", duress_cards=["H10301:42:2"]))
    assert kept() == (["H10301:42:1"], ["H10301:42:2"])
    assert refused(put(console, "wang", duress_cards=["H10301:42:1"])) == (422, "cloud.cardholder.card-taken")
    assert sheet(console, "code,cards\nwang,H10301:42:3\n")["stored"]
    assert kept() == (["H10301:42:3"], ["H10301:42:2"])
    done(put(console, "wang", cards=["H10301:42:2"], duress_cards=["H10301:42:3"]))
    assert kept() == (["H10301:42:2"], ["H10301:42:3"])
    done(put(console, "wang", cards=[]))
    assert kept() == ([], ["H10301:42:3"])


def sheet(client: httpx.Client, text: str, **more: Any) -> Any:
    return done(client.post(f"{ACCESS}/import", json={"place": GARDEN, "text": text, **more}))


def test_a_sheet_is_taken_whole_or_says_every_line_that_is_wrong(quiet: Street, console: httpx.Client) -> None:
    wrong = (
        "code,cards,doors,enabled,valid_until\n"
        "a,H10301:42:1,door-1,yes,\n"
        "b,H10301:42:x,,,\n"
        "c,H10301:42:1,,,\n"
        "d,,door-9,,\n"
        "e,,,perhaps,\n"
        "f,,,,2026-13-01\n"
        ",,,,\n"
        "a,,,,\n"
    )
    answer = sheet(console, wrong)
    assert (answer["stored"], [(one["line"], one["error"]["code"]) for one in answer["faults"]]) == (
        False,
        [
            (3, "protocols.access.card-text"),
            (4, "cloud.cardholder.csv-twice"),
            (5, "cloud.cardholder.no-door"),
            (6, "cloud.cardholder.csv-truth"),
            (7, "cloud.invalid.date"),
            (9, "cloud.cardholder.csv-twice"),
        ],
    )
    assert "2026-13-01" in answer["faults"][4]["error"]["sentence"]["en"]
    assert "2026-13-01" in answer["faults"][4]["error"]["sentence"]["zh-CN"]
    assert quiet.rows("SELECT code FROM cardholder") == []
    right = '\ufeffcode;name;cards\r\nwang;"王; 兰";H10301:42:1 H10301:42:2\r\n'
    assert sheet(console, right, trial=True)["stored"] is False
    assert sheet(console, right) == {"people": 1, "stored": True, "faults": []}
    assert quiet.rows("SELECT name FROM cardholder") == [{"name": "王; 兰"}]
    for text in ("", "name\nx\n", "code,code\n", "code,pin\n", 'code\n"a\n', "code,name\na\n"):
        assert len(sheet(console, text)["faults"]) == 1, text


def test_ten_thousand_people_arrive_and_one_change_sends_one_page(
    quiet: Street, gateway: Gateway, console: httpx.Client, report: list[str]
) -> None:
    lines = "".join(f"resident-{n},H10301:{n // 5000}:{n},door-{1 + n % 2}\n" for n in range(1, 10_001))
    began = datetime.now(UTC)
    assert sheet(console, "code,cards,doors\n" + lines)["people"] == 10_000
    stored = datetime.now(UTC)
    gateway.run()
    arrived = datetime.now(UTC)
    store = gateway.receiving.cardholders
    assert store is not None
    assert store.people == 10_000
    whole = sum(len(message.payload) for message in quiet.sent)
    before = len(quiet.sent)
    done(console.post(f"{ACCESS}/cardholders/resident-7/enabled", json={"enabled": False}))
    gateway.run()
    later = quiet.sent[before:]
    changed = gateway.receiving.cardholders
    assert changed is not None
    assert not changed.by_id["resident-7"].enabled
    assert len(later) == 3, "an offer, one page, and that it is done"
    times = f"{(stored - began).total_seconds():.1f} s to store, {(arrived - stored).total_seconds():.1f} s to arrive"
    sizes = f"{whole} bytes in {before} messages, one change {sum(len(m.payload) for m in later)} bytes"
    report.append(f"10,000 cardholders: {times}, {sizes}")


def test_lost_messages_and_a_gateway_that_was_away(quiet: Street, gateway: Gateway, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    quiet.settle()
    gateway.taken = len(quiet.sent)  # the offer is lost
    gateway.run(timedelta(seconds=6))
    assert gateway.owner(1) is not None
    quiet.rows("UPDATE gateway SET online = false WHERE code = 'gw-2' RETURNING id")
    done(console.post(f"{ACCESS}/cardholders/wang/enabled", json={"enabled": False}))
    done(console.delete(f"{ACCESS}/cardholders/wang"))
    sent = len(quiet.sent)
    quiet.settle()
    assert len(quiet.sent) == sent
    quiet.rows("UPDATE gateway SET online = true WHERE code = 'gw-2' RETURNING id")
    gateway.run(timedelta(seconds=12))
    assert gateway.owner(1) is None


def test_a_gateway_that_lost_its_disk_and_a_cloud_that_lost_its_newest_rows(
    quiet: Street, gateway: Gateway, console: httpx.Client
) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    gateway.run()
    gateway.stop()
    for file in gateway.path.parent.glob("sets.db*"):
        file.unlink()
    gateway.start()
    assert gateway.owner(1) is None
    gateway.run()
    assert gateway.owner(1) is not None, "it says that it has nothing, and gets it again"
    backup = quiet.rows("SELECT * FROM delivered_set")
    for card in (2, 3):
        done(put(console, "wang", cards=[f"H10301:42:{card}"]))
        gateway.run()
    assert gateway.receiving.number("cardholders") == 3
    quiet.rows("DELETE FROM delivered_set WHERE number > %(n)s RETURNING id", n=backup[0]["number"])
    quiet.rows("UPDATE reported_set SET number = 1, hash = %(h)s RETURNING kind", h=backup[0]["hash"])
    quiet.rows("UPDATE cardholder_card SET card = 'H10301:42:1' RETURNING card")
    with quiet.database.transaction() as tx:
        registry.distrust(tx, datetime.now(UTC))
    gateway.run()
    assert gateway.receiving.number("cardholders") == 4, "its number was refused, and a newer one was made"
    assert gateway.owner(1) is not None
    assert gateway.owner(3) is None
    assert done(console.get(SETS))["cardholders"]["same"]


def test_a_door_that_is_placed_while_a_set_is_made_is_in_the_next_one(quiet: Street, console: httpx.Client) -> None:
    done(put(console, "wang", cards=["H10301:42:1"]))
    place = "UPDATE device SET place_id = place_id WHERE code = 'door-1' AND type = 'door' RETURNING id"
    placing = threading.Thread(target=quiet.rows, args=(place,), daemon=True)
    with quiet.database.transaction() as tx:
        assert tx.fetch("SELECT id FROM due WHERE kind = 'set.build' FOR UPDATE"), "a worker is about to make it"
        placing.start()
        until = time.monotonic() + 20
        while placing.is_alive() and not tx.fetch("SELECT FROM pg_locks WHERE NOT granted"):
            assert time.monotonic() < until
            time.sleep(0.01)
        tx.execute("DELETE FROM due WHERE kind = 'set.build'")
    placing.join(20)
    assert len(quiet.rows("SELECT id FROM due WHERE kind = 'set.build'")) == 1


def test_a_door_that_is_placed_gets_the_people_of_its_place(
    quiet: Street, gateway: Gateway, console: httpx.Client
) -> None:
    quiet.rows("UPDATE device SET place_id = NULL WHERE code IN ('door-1', 'door-2') RETURNING id")
    done(put(console, "wang", f"{GARDEN}/3", cards=["H10301:42:1"]))
    gateway.run()
    assert gateway.owner(1) is None
    quiet.rows(
        "UPDATE device SET place_id = (SELECT id FROM place WHERE path = %(path)s) WHERE code = 'door-2' RETURNING id",
        path=f"{GARDEN}/3/2/hall",
    )
    gateway.run()
    person = gateway.owner(1)
    assert person is not None
    assert person.doors == ("door-2",)


def test_rules_travel_the_same_way_and_what_the_gateway_cannot_judge_it_says(
    quiet: Street, gateway: Gateway, console: httpx.Client
) -> None:
    done(console.put(f"{RULES}/open-all", json={"rule": SIREN}))
    gateway.run()
    assert [rule.code for rule in gateway.receiving.rules] == ["open-all"]
    assert gateway.receiving.rules[0] == Rule.model_validate(SIREN)
    bad = {**SIREN, "code": "bell", "actions": [{"device": "siren-9", "output": "sound"}]}
    done(console.put(f"{RULES}/bell", json={"rule": bad}))
    gateway.run()
    shown = done(console.get(SETS))["rules"]
    assert (shown["wanted"]["state"], shown["same"], shown["reported"]["number"]) == ("refused", False, 1)
    assert "siren-9" in shown["wanted"]["error"]["sentence"]["en"]
    assert "siren-9" in shown["wanted"]["error"]["sentence"]["zh-CN"]
    assert shown["difference"]["missing"]["names"] == ["bell"]
    assert [rule.code for rule in gateway.receiving.rules] == ["open-all"]
    done(console.put(f"{RULES}/bell", json={"rule": bad, "enabled": False}))
    gateway.run()
    assert done(console.get(SETS))["rules"]["same"]
    done(console.delete(f"{RULES}/open-all"))
    gateway.run()
    assert gateway.receiving.rules == ()
    assert refused(console.delete(f"{RULES}/open-all")) == (404, "cloud.set.rule.unknown")
    placed = {**SIREN, "where": {"place": GARDEN}}
    assert refused(console.put(f"{RULES}/open-all", json={"rule": placed})) == (422, "cloud.set.rule-place")
    assert sets.RUNNING in gateway.kinds
