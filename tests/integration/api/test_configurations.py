"""A gateway's configuration on the service's side: who may, what is sent, what it says, what pages show."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cloud.registry import births, configurations
from protocols import configuration
from protocols.events import Event
from protocols.sparkplug.payload import decode
from tests.integration.api.conftest import Street

PATH = "/api/v1/gateways/peach-garden/gw-2/configuration"
LOCAL = """
[gateway]
group = "peach-garden"
node = "gw-2"

[uplink]
host = "127.0.0.1"
port = 1883

[[driver]]
family = "modbus"
name = "bus-1"
port = "/dev/ttyUSB0"
"""
WANTED = LOCAL.replace("1883", "8883").replace('name = "bus-1"', 'name = "bus-1"  # 三号楼\nbaud = 19200')


@pytest.fixture
def quiet(street: Street) -> Any:
    """The web part without workers; the gateway is there. Chen Jing administers the street."""
    with street.database.transaction() as tx:
        births.node_born(tx, ("peach-garden", "gw-2"), datetime.now(UTC), bdseq=0, birth=None, declared={})
    with street.serving(workers=False) as served:
        yield served


def wanted(client: httpx.Client, text: str = WANTED, **more: Any) -> httpx.Response:
    return client.post(PATH, json={"text": text, "action_id": str(uuid.uuid4())} | more)


def tells(street: Street, kind: str, **data: Any) -> None:
    """The gateway's event, as ingest hands it on."""
    event = Event(device="", kind=kind, at_ms=0, data=data)
    (row,) = street.rows(
        "SELECT device.id FROM device JOIN gateway ON gateway.id = gateway_id "
        "WHERE gateway.code = 'gw-2' AND device.code = ''"
    )
    with street.database.transaction() as tx:
        configurations.take_told(tx, [(row["id"], event)], round(datetime.now(UTC).timestamp() * 1000))


def runs(street: Street, text: str = LOCAL, number: int = 0, **more: Any) -> None:
    """The gateway starts with `text`."""
    document = configuration.parse(text)
    version = {"number": number, "hash": configuration.content_hash(document)}
    tells(street, configuration.RUNNING, **version, **more)
    if number == 0:
        for piece, part in enumerate(pieces := configuration.to_pieces(configuration.to_toml(document))):
            tells(street, configuration.TEXT, **version, piece=piece, pieces=len(pieces), text=part)


def said(street: Street) -> list[dict[str, Any]]:
    return [json.loads(str(decode(message.payload).metrics[0].value)) for message in street.sent]


def test_offered_ticketed_sent_tried_confirmed(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        runs(quiet)
        before = console.get(PATH).json()
        assert (before["wanted"], before["may_set"], before["reported"]["number"]) == (None, True, 0)
        assert configuration.parse(before["reported"]["text"]) == configuration.parse(LOCAL)
        given = wanted(console)
        assert given.status_code == 200, given.text
        shown = given.json()
        assert (shown["wanted"]["number"], shown["wanted"]["state"], shown["same"]) == (1, "queued", False)
        assert shown["difference"] == [
            {"key": "uplink.port", "wanted": "8883", "reported": "1883"},
            {"key": "driver[bus-1].baud", "wanted": "19200", "reported": None},
        ]
        assert shown["wanted"]["person"]["name"]["en"] == "Chen Jing"
        quiet.settle()
        (offer,) = quiet.sent
        assert (offer.topic, offer.qos, offer.retain) == ("spBv1.0/peach-garden/NCMD/gw-2", 0, False)
        about = {"id": shown["wanted"]["id"], "number": 1, "hash": shown["wanted"]["hash"]}
        assert said(quiet)[0] == {"host": "cloud", "pieces": 1, "hold_s": 120, **about}
        ticket = str(uuid.uuid4())
        tells(quiet, configuration.READY, **about, ticket=ticket)
        quiet.settle()
        assert said(quiet)[-1]["ticket"] == ticket
        assert configuration.from_pieces([said(quiet)[-1]["text"]]) == WANTED
        tells(quiet, configuration.TRYING, **about)
        assert console.get(PATH).json()["wanted"]["state"] == "trying"
        refused = wanted(console, LOCAL)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cloud.configuration.on-trial")
        tells(quiet, configuration.CONFIRMED, **about)
        after = console.get(PATH).json()
        assert (after["wanted"]["state"], after["same"], after["difference"]) == ("confirmed", True, [])
        assert after["reported"]["text"] == WANTED, "with the comments of whoever wrote it"
        quiet.settle(datetime.now(UTC) + timedelta(minutes=1))
        assert len(quiet.sent) == 2, "nothing is offered any more"
    (audit,) = quiet.rows("SELECT * FROM audit WHERE action = 'configuration.want'")
    assert (audit["subject"], audit["place_id"] is not None) == ("peach-garden/gw-2", True)
    assert "8883" not in json.dumps(audit["detail"])
    told = quiet.rows("SELECT data FROM stream_event WHERE kind = 'configuration'")
    assert {json.dumps(row["data"]) for row in told} == {'{"code": "gw-2", "group": "peach-garden"}'}


def test_why_it_was_refused_or_rolled_back_in_both_languages(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        runs(quiet)
        for kind, error, params, chinese in (
            (
                configuration.REFUSED,
                "edge.config.fixed",
                {"file": "#1", "key": "gateway.data", "value": "'data'"},
                "现场",
            ),
            (configuration.ROLLED_BACK, "edge.config.uplink-away", {"seconds": "120"}, "未能重新连上云端"),
        ):
            one = wanted(console).json()["wanted"]
            tells(quiet, kind, id=one["id"], number=one["number"], hash=one["hash"], error=error, params=params)
            shown = console.get(PATH).json()
            assert shown["wanted"]["state"] == kind.removeprefix("config.")
            assert chinese in shown["wanted"]["error"]["sentence"]["zh-CN"]
            assert shown["reported"]["number"] == 0
        assert [one["number"] for one in shown["versions"]] == [2, 1]


def test_an_outcome_that_was_lost_with_the_agent_comes_with_its_next_start(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        runs(quiet)
        one = wanted(console).json()["wanted"]
        about = {"id": one["id"], "number": one["number"], "hash": one["hash"]}
        tells(quiet, configuration.TRYING, **about)
        runs(quiet, last=about | {"kind": configuration.ROLLED_BACK, "error": "edge.config.cut-off", "params": {}})
        assert console.get(PATH).json()["wanted"]["state"] == "rolled-back"
        assert wanted(console).status_code == 200


def test_a_gateway_that_is_away_gets_the_newest_when_it_is_back(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        with quiet.database.transaction() as tx:
            births.node_died(tx, ("peach-garden", "gw-2"), datetime.now(UTC))
        first = wanted(console).json()["wanted"]
        second = wanted(console, LOCAL).json()
        assert [one["state"] for one in second["versions"]] == ["queued", "superseded"]
        now = datetime.now(UTC)
        quiet.settle(now)
        assert quiet.sent == []
        with quiet.database.transaction() as tx:
            births.node_born(tx, ("peach-garden", "gw-2"), now, bdseq=0, birth=None, declared={})
        quiet.settle(now + timedelta(seconds=11))
        assert {one["id"] for one in said(quiet)} == {second["wanted"]["id"]}
        tells(quiet, configuration.READY, id=first["id"], number=1, hash=first["hash"], ticket=str(uuid.uuid4()))
        known = len(quiet.sent)
        quiet.settle(now + timedelta(seconds=12))
        assert [one for one in said(quiet)[known:] if "piece" in one] == [], "what is no longer wanted is not sent"


def test_what_no_gateway_could_use_is_refused_at_once(quiet: Street) -> None:
    bad = {
        "no = toml = 1": "protocols.configuration.not-toml",
        LOCAL.replace("gw-2", "gw-1"): "cloud.configuration.another-gateway",
        LOCAL + '\npassword = "hunter2"': "cloud.configuration.secret",
        "x = 1": "cloud.configuration.another-gateway",
    }
    with quiet.signed_in("chenjing") as console:
        for text, code in bad.items():
            answer = wanted(console, text)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
            assert "hunter2" not in answer.text
        for more in ({"hold_s": 1}, {"hold_s": 9999}, {"text": ""}, {"text": "x" * 70_000}):
            assert wanted(console, **more).status_code in (413, 422)
    assert quiet.rows("SELECT FROM configuration") == []


def test_the_same_tap_is_one_version(quiet: Street) -> None:
    same = str(uuid.uuid4())
    with quiet.signed_in("chenjing") as console:
        assert {wanted(console, action_id=same).json()["wanted"]["number"] for _ in range(3)} == {1}
        assert wanted(console, LOCAL, action_id=same).json()["error"]["code"] == "cloud.action-id.foreign"
    assert len(quiet.rows("SELECT FROM configuration")) == 1


def test_only_who_may_at_that_place(street: Street) -> None:
    with street.serving(workers=False) as served:
        with served.browser() as nobody:
            assert wanted(nobody).status_code == 401
        with served.signed_in("liming") as volunteer:
            assert wanted(volunteer).status_code == 403
            assert volunteer.get(PATH).status_code == 403
        with served.database.transaction() as tx:
            tx.execute("DELETE FROM role_grant WHERE role = 'administrator'")
        with served.signed_in("chenjing") as operator:
            assert operator.get(PATH).json()["may_set"] is False
            assert wanted(operator).status_code == 403
            assert operator.get(PATH.replace("gw-2", "gw-9")).status_code == 404
        with served.database.transaction() as tx:
            tx.execute(
                "INSERT INTO role_grant (person_id, role, place_id) SELECT person.id, 'installer', place.id "
                "FROM person, place WHERE person.login = 'liming' AND place.path = 'donggang/taoyuan/peach-garden'"
            )
        with served.signed_in("liming") as installer:
            assert installer.get(PATH).json()["may_set"] is True
            assert wanted(installer).status_code == 200
        with served.database.transaction() as tx:
            tx.execute(
                "UPDATE role_grant SET place_id = (SELECT id FROM place WHERE kind = 'home' ORDER BY path LIMIT 1) "
                "WHERE role = 'installer'"
            )
        with served.signed_in("liming") as elsewhere:
            assert wanted(elsewhere).status_code == 404
            assert elsewhere.get(PATH).status_code == 404


def test_nonsense_changes_nothing(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        runs(quiet)
        before = console.get(PATH).json()
        for data in (
            {},
            {"number": "x", "hash": "0" * 64},
            {"number": 1, "hash": "no"},
            {"number": 0, "hash": before["reported"]["hash"], "piece": 0, "pieces": 1, "text": "garbage"},
            {"number": 0, "hash": before["reported"]["hash"], "piece": 99, "pieces": 100, "text": "garbage"},
        ):
            tells(quiet, configuration.TEXT, **data)
            tells(quiet, configuration.CONFIRMED, **data)
        assert console.get(PATH).json()["reported"]["text"] == before["reported"]["text"]


def test_the_largest_configuration_gets_through_the_door(quiet: Street) -> None:
    """Quotes and line ends are two characters each in JSON."""
    devices = "".join(f'[[driver.device]]\nid = "d-{number}"\ntype = "smoke"\n' for number in range(1280))
    text = LOCAL + devices
    assert 58_000 < len(text) <= configuration.MAX_BYTES
    with quiet.signed_in("chenjing") as console:
        answer = wanted(console, text)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("text", ["a" + ".a" * 9000 + " = 1\n", LOCAL + "x = " + "[" * 300 + "]" * 300])
def test_what_is_nested_too_deep_is_refused_in_a_sentence(quiet: Street, text: str) -> None:
    with quiet.signed_in("chenjing") as console:
        answer = wanted(console, text)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "protocols.configuration.not-toml")


def test_who_looks_at_a_configuration_waits_for_nobody_and_keeps_nobody_waiting(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console, quiet.database.transaction() as receiving:
        births.lock(receiving, [("peach-garden", "gw-2")])
        receiving.execute("SET LOCAL lock_timeout = '5s'")
        assert console.get(PATH, timeout=5.0).status_code == 200
