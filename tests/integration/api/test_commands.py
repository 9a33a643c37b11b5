"""Commands down on the service's side: who may, what is sent, what becomes of it. The broker is a list."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from cloud.jobs import standard_jobs
from cloud.registry import births, commands
from cloud.storage.queries import load
from protocols import command
from protocols.events import Event
from protocols.sparkplug.payload import decode
from tests.integration.api.conftest import Street, wait_for

TTL = commands.TTL


def _device(street: Street, code: str) -> int:
    (row,) = street.rows("SELECT id FROM device WHERE code = %(code)s", code=code)
    found: int = row["id"]
    return found


def _give(client: httpx.Client, device: int, output: str = "restore", **more: Any) -> httpx.Response:
    wish = {"output": output, "value": True, "action_id": str(uuid.uuid4())} | more
    return client.post(f"/api/v1/devices/{device}/commands", json=wish)


def _given(street: Street, client: httpx.Client, device: int) -> str:
    """A command that was asked; its id."""
    answer = _give(client, device)
    assert answer.status_code == 200, answer.text
    street.settle()
    assert _state(client, device)["state"] == "sent"
    identity: str = answer.json()["id"]
    return identity


def _state(client: httpx.Client, device: int) -> dict[str, Any]:
    row: dict[str, Any] = client.get(f"/api/v1/devices/{device}/commands").json()[0]
    return row


def _answers(street: Street, device: int, kind: str, identity: str, **data: Any) -> None:
    """The gateway's event, as ingest hands it on."""
    event = Event(device="", kind=kind, at_ms=1_700_000_000_000, data={"id": identity, **data})
    with street.database.transaction() as tx:
        commands.take_answers(tx, [(device, event)], round(datetime.now(UTC).timestamp() * 1000))


def _said(street: Street) -> list[dict[str, Any]]:
    """What was written to outputs so far."""
    return [json.loads(str(decode(message.payload).metrics[0].value)) for message in street.sent]


@pytest.fixture
def quiet(street: Street) -> Any:
    """The web part without workers: the test lets timers run."""
    with street.serving(workers=False) as served:
        yield served


def test_asked_ticketed_confirmed_done(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        (ask,) = quiet.sent
        assert (ask.topic, ask.qos, ask.retain) == ("spBv1.0/peach-garden/DCMD/gw-2/door-1", 0, False)
        payload = decode(ask.payload)
        assert payload.seq is None
        assert payload.timestamp_ms is not None
        assert payload.metrics[0].name == "Output/restore", "no birth gave an alias"
        assert (_said(quiet)[0]["id"], _said(quiet)[0]["value"]) == (identity, True)
        assert 0 < _said(quiet)[0]["ttl_ms"] <= TTL.total_seconds() * 1000
        ticket = str(uuid.uuid4())
        _answers(quiet, door, command.READY, identity, ticket=ticket)
        quiet.settle()
        assert _said(quiet)[-1] == {"host": "cloud", "id": identity, "ticket": ticket}
        _answers(quiet, door, command.DONE, identity)
        shown = _state(console, door)
        assert (shown["state"], shown["error"]) == ("done", None)
        assert shown["answered_at"] == "2023-11-14T22:13:20.000Z"
        assert shown["person"]["name"]["en"] == "Chen Jing"
    (row,) = quiet.rows("SELECT * FROM audit WHERE action = 'command.give'")
    assert (row["subject"], row["detail"]["output"]) == (str(door), "restore")
    assert row["place_id"] is not None
    told = quiet.rows("SELECT data, place_id FROM stream_event WHERE kind = 'command' ORDER BY id")
    assert [row["data"]["state"] for row in told] == ["queued", "sent", "done"]
    assert all(row["place_id"] is not None for row in told)


def test_a_gateway_that_answers_before_we_have_committed_that_we_asked(quiet: Street) -> None:
    """The answer waits for the row instead of passing it by: it would not come a second time."""
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _give(console, door).json()["id"]
        ticket = str(uuid.uuid4())
        answering = threading.Thread(
            target=_answers, args=(quiet, door, command.READY, identity), kwargs={"ticket": ticket}
        )
        with quiet.database.transaction() as tx:
            tx.one(load("commands")["lock"], {"id": identity})
            answering.start()
            waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_for(lambda: quiet.rows(waiting))
            tx.execute(load("commands")["sent"], {"id": identity, "now": datetime.now(UTC)})
        answering.join(20)
        quiet.settle()
        assert _said(quiet)[-1]["ticket"] == ticket


def test_only_the_first_ticket_is_ever_confirmed(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        _answers(quiet, door, command.READY, identity, ticket=first)
        _answers(quiet, door, command.READY, identity, ticket=second)
        quiet.settle()
        _answers(quiet, door, command.READY, identity, ticket=second)
        quiet.settle()
    assert [said["ticket"] for said in _said(quiet) if "ticket" in said] == [first]


def test_it_is_asked_again_until_a_ticket_comes_and_no_longer_than_it_stands(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        began = datetime.now(UTC)
        quiet.settle(began + timedelta(seconds=5))
        assert [said["id"] for said in _said(quiet)] == [identity] * 2
        quiet.settle(began + TTL + timedelta(seconds=1))
        assert len(quiet.sent) == 2
        shown = _state(console, door)
        assert (shown["state"], shown["error"]["code"]) == ("expired", "cloud.command.not-reached")
        assert "nothing was done" in shown["error"]["sentence"]["en"]
        _answers(quiet, door, command.READY, identity, ticket=str(uuid.uuid4()))
        quiet.settle()
        assert len(quiet.sent) == 2, "a late ticket is not confirmed"
    assert quiet.rows("SELECT FROM due WHERE kind LIKE 'command.%%'") == []


def test_an_answer_that_comes_after_we_gave_up_is_the_truth(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        _answers(quiet, door, command.READY, identity, ticket=str(uuid.uuid4()))
        quiet.settle()
        quiet.settle(datetime.now(UTC) + TTL + timedelta(minutes=1))
        assert _state(console, door)["error"]["code"] == "cloud.command.no-answer"
        _answers(quiet, door, command.DONE, identity)
        assert _state(console, door)["state"] == "done"


def test_a_refusal_says_why_in_both_languages(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        why = {"error": "edge.command.away", "params": {"device": "door-1"}}
        _answers(quiet, door, command.REFUSED, identity, **why)
        shown = _state(console, door)
        assert shown["state"] == "refused"
        assert shown["error"]["sentence"]["en"].startswith("door-1 does not answer")
        assert shown["error"]["sentence"]["zh-CN"].startswith("door-1 目前没有应答")
        _answers(quiet, door, command.DONE, identity)
        assert _state(console, door)["state"] == "refused", "the first outcome stays"


def test_a_refusal_that_nobody_knows_is_shown_as_it_is(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as console:
        for error in ("antigravity.x", "", "edge.no.such.code", 5):
            identity = _given(quiet, console, door)
            _answers(quiet, door, command.REFUSED, identity, error=error, params={"a": {"b": 1}})
            shown = next(row for row in console.get(f"/api/v1/devices/{door}/commands").json() if row["id"] == identity)
            assert shown["state"] == "refused"
            assert str(error) in shown["error"]["sentence"]["en"]


def test_another_device_cannot_answer_and_nonsense_changes_nothing(quiet: Street) -> None:
    door, other = _device(quiet, "door-1"), _device(quiet, "door-2")
    with quiet.signed_in("chenjing") as console:
        identity = _given(quiet, console, door)
        _answers(quiet, other, command.DONE, identity)
        _answers(quiet, door, command.DONE, str(uuid.uuid4()))
        _answers(quiet, door, command.DONE, "no-uuid")
        _answers(quiet, door, command.READY, identity, ticket="none")
        _answers(quiet, door, command.READY, identity)
        assert _state(console, door)["state"] == "sent"


def test_the_same_tap_is_one_command(quiet: Street) -> None:
    door, other = _device(quiet, "door-1"), _device(quiet, "door-2")
    same = str(uuid.uuid4())
    with quiet.signed_in("chenjing") as console:
        answers = [_give(console, door, action_id=same).json() for _ in range(3)]
        assert len({answer["id"] for answer in answers}) == 1
        for answer in (_give(console, other, action_id=same), _give(console, door, "release", action_id=same)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cloud.action-id.foreign")
    assert len(quiet.rows("SELECT FROM command")) == 1
    assert len(quiet.rows("SELECT FROM audit WHERE action = 'command.give'")) == 1


def test_what_is_not_in_the_catalogue_is_refused(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as console:
        for code, output in (("door-1", "sound"), ("smoke-502", "release"), ("door-1", "")):
            answer = _give(console, _device(quiet, code), output)
            assert answer.status_code == 422, answer.text
        unfit: tuple[Any, ...] = (None, {}, [], "x" * 300, "\u0000", "\ud800")
        for value in unfit:
            body = json.dumps({"output": "restore", "value": value, "action_id": str(uuid.uuid4())})
            headers = {"Content-Type": "application/json"}
            answer = console.post(f"/api/v1/devices/{_device(quiet, 'door-1')}/commands", content=body, headers=headers)
            assert answer.status_code == 422, (value, answer.text)
        assert _give(console, 999_999).status_code == 404
    assert quiet.rows("SELECT FROM command") == []


def test_only_operators_and_only_at_their_places(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.browser() as nobody:
        assert _give(nobody, door).status_code == 401
    with quiet.signed_in("liming") as volunteer:
        assert _give(volunteer, door).status_code == 403
        assert volunteer.get(f"/api/v1/devices/{door}/commands").status_code == 403
    with quiet.database.transaction() as tx:
        tx.execute(
            "UPDATE role_grant SET place_id = (SELECT id FROM place WHERE kind = 'home' ORDER BY path LIMIT 1) "
            "WHERE person_id = (SELECT id FROM person WHERE login = 'chenjing')"
        )
    with quiet.signed_in("chenjing") as elsewhere:
        assert _give(elsewhere, door).status_code == 404
        assert elsewhere.get(f"/api/v1/devices/{door}/commands").status_code == 404
    assert quiet.rows("SELECT FROM command") == []


def test_without_a_broker_it_waits_and_expires(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    quiet.broker = False
    with quiet.signed_in("chenjing") as console:
        assert _give(console, door).status_code == 200
        quiet.settle()
        assert _state(console, door)["state"] == "queued"
        quiet.broker = True
        quiet.settle(datetime.now(UTC) + timedelta(seconds=1))
        assert _state(console, door)["state"] == "sent"


def test_a_device_is_asked_to_be_read_and_a_slow_one_has_time(quiet: Street) -> None:
    meter = _device(quiet, "vending-1")
    with quiet.signed_in("chenjing") as console:
        answer = _give(console, meter, command.READ)
        assert answer.status_code == 200, answer.text
        identity, began = answer.json()["id"], datetime.now(UTC)
        quiet.settle()
        assert decode(quiet.sent[0].payload).metrics[0].name == command.READ_METRIC
        _answers(quiet, meter, command.READY, identity, ticket=str(uuid.uuid4()))
        quiet.settle()
        quiet.settle(began + TTL + timedelta(seconds=40))
        assert _state(console, meter)["state"] == "sent", "a machine's audit takes its time"
        quiet.settle(began + TTL + timedelta(seconds=65))
        assert _state(console, meter)["error"]["code"] == "cloud.command.no-answer"
        _answers(quiet, meter, command.DONE, identity)
        assert _state(console, meter)["state"] == "done"
        assert _give(console, _device(quiet, "smoke-502"), command.READ).status_code == 422
    (audit,) = quiet.rows("SELECT detail FROM audit WHERE action = 'command.give'")
    assert audit["detail"]["output"] == "read"


def test_a_rebirth_is_asked_for_once_and_done_with_the_birth(quiet: Street) -> None:
    node, now = ("peach-garden", "gw-2"), datetime.now(UTC)
    path, tap = "/api/v1/gateways/peach-garden/gw-2/rebirth", {"action_id": str(uuid.uuid4())}
    with quiet.database.transaction() as tx:
        births.node_born(tx, node, now, bdseq=0, birth=None, declared={})
    with quiet.signed_in("chenjing") as console:
        given = console.post(path, json=tap)
        assert given.status_code == 200, given.text
        quiet.settle()
        quiet.settle(now + timedelta(seconds=5))
        (sent,) = quiet.sent
        assert sent.topic == "spBv1.0/peach-garden/NCMD/gw-2"
        assert decode(sent.payload).metrics[0].name == "Node Control/Rebirth"
        assert _state(console, given.json()["device_id"])["state"] == "sent"
        with quiet.database.transaction() as tx:
            births.node_born(tx, node, now, bdseq=0, birth=None, declared={})
        assert _state(console, given.json()["device_id"])["state"] == "done"
        assert console.post("/api/v1/gateways/peach-garden/gw-9/rebirth", json=tap).status_code == 404
        wish = {"output": "rebirth", "value": True, "action_id": str(uuid.uuid4())}
        door = _device(quiet, "door-1")
        assert console.post(f"/api/v1/devices/{door}/commands", json=wish).status_code == 422
    with quiet.signed_in("liming") as volunteer:
        assert volunteer.post(path, json={"action_id": str(uuid.uuid4())}).status_code == 403


def test_the_workers_send_at_once(street: Street) -> None:
    with street.serving() as served, served.signed_in("chenjing") as console:
        _give(console, _device(served, "door-1"))
        wait_for(lambda: served.sent)


def test_what_was_commanded_is_forgotten_with_the_events_that_tell_of_it(quiet: Street) -> None:
    door = _device(quiet, "door-1")
    with quiet.signed_in("chenjing") as client:
        old, kept = _given(quiet, client, door), _given(quiet, client, door)
        age = "UPDATE command SET created_at = now() - %(days)s * interval '1 day' WHERE id = %(id)s RETURNING id"
        for identity, days in ((old, 740), (kept, 720)):
            quiet.rows(age, days=days, id=uuid.UUID(identity))
        (job,) = (job for job in standard_jobs(ZoneInfo("Asia/Shanghai")) if job.name == "events")
        with quiet.database.transaction() as tx:
            job.run(tx, datetime.now(UTC))
        shown = client.get(f"/api/v1/devices/{door}/commands").json()
        assert [row["id"] for row in shown] == [kept]
