"""Devices that no configuration names, on the service's side: listed for who installs there, approved, and gone."""

from __future__ import annotations

import time
import tomllib
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.registry import births, configurations, waiting
from protocols import configuration
from protocols.approval import MOST, OVER, WAITING
from protocols.events import Event
from tests.integration.api.conftest import Street

NODE = ("peach-garden", "gw-2")
PATH = "/api/v1/gateways/peach-garden/gw-2"
EUI = "24e124136b777777"
TEXT = '[gateway]\ngroup = "peach-garden"\nnode = "gw-2"\n\n[[driver]]\nfamily = "chirpstack"\nname = "lora-1"\n'
HEARD = {
    "driver": "lora-1",
    "family": "chirpstack",
    "address": EUI,
    "name": "WS303 7777",
    "model": "Milesight WS303",
    "type": "water-leak",
    "settings": {"dev_eui": EUI, "codec": "milesight-ws303"},
    "first_ms": 5,
}


@pytest.fixture
def quiet(street: Street) -> Any:
    """The web part without workers; the gateway is there. Chen Jing administers the street."""
    with street.database.transaction() as tx:
        births.node_born(tx, NODE, datetime.now(UTC), bdseq=0, birth=None, declared={})
    with street.serving(workers=False) as served:
        yield served


def tells(street: Street, *said: tuple[str, dict[str, Any]]) -> None:
    """Events of the gateway, as ingest hands them on."""
    (row,) = street.rows(
        "SELECT device.id FROM device JOIN gateway ON gateway.id = gateway_id "
        "WHERE gateway.code = 'gw-2' AND device.code = ''"
    )
    now_ms = round(time.time() * 1000)
    events = [(row["id"], Event(device="", kind=kind, at_ms=0, data=data)) for kind, data in said]
    with street.database.transaction() as tx:
        configurations.take_told(tx, events, now_ms)
        waiting.take_told(tx, events, now_ms)


def runs(street: Street) -> None:
    document = configuration.parse(TEXT)
    version = {"number": 0, "hash": configuration.content_hash(document)}
    (piece,) = configuration.to_pieces(configuration.to_toml(document))
    tells(
        street,
        (configuration.RUNNING, version),
        (configuration.TEXT, version | {"piece": 0, "pieces": 1, "text": piece}),
    )


def approves(street: Street, who: str = "chenjing", **more: Any) -> Any:
    body = {"driver": "lora-1", "address": EUI, "id": "leak-9", "type": "water-leak", "action_id": str(uuid.uuid4())}
    with street.signed_in(who) as client:
        return client.post(f"{PATH}/waiting", json=body | more)


def listed(street: Street, who: str = "chenjing") -> list[dict[str, Any]]:
    with street.signed_in(who) as client:
        found: list[dict[str, Any]] = client.get(f"{PATH}/installation").json()["waiting"]
    return found


def test_from_the_list_to_a_wish(quiet: Street) -> None:
    tells(quiet, (WAITING, HEARD), (WAITING, HEARD | {"model": "WS303 v2"}))
    (one,) = listed(quiet)
    assert {key: one[key] for key in ("address", "model", "type")} == {
        "address": EUI,
        "model": "WS303 v2",
        "type": "water-leak",
    }
    assert approves(quiet).json()["error"]["code"] == "cloud.waiting.no-configuration"
    runs(quiet)
    identity = str(uuid.uuid4())
    assert approves(quiet, action_id=identity).status_code == 200
    assert approves(quiet, action_id=identity).status_code == 200, "said twice, wished once"
    with quiet.signed_in("chenjing") as client:
        wanted = client.get(f"{PATH}/configuration").json()["wanted"]
    assert tomllib.loads(wanted["text"])["driver"][0]["device"] == [
        {"id": "leak-9", "type": "water-leak", "dev_eui": EUI, "codec": "milesight-ws303"}
    ]
    (row,) = quiet.rows("SELECT detail FROM audit WHERE action = 'waiting.approve'")
    assert row["detail"] == {"waiting": EUI, "device": "leak-9"}
    assert len(listed(quiet)) == 1, "it waits until the gateway says otherwise"
    tells(quiet, (OVER, {"driver": "lora-1", "family": "chirpstack", "address": EUI}))
    assert listed(quiet) == []


def test_settings_do_not_speak_against_who_approves(quiet: Street) -> None:
    runs(quiet)
    settings = {"dev_eui": EUI, "id": "door-1", "type": "door"}
    tells(quiet, (WAITING, HEARD | {"settings": settings}))
    assert approves(quiet).status_code == 200
    with quiet.signed_in("chenjing") as client:
        wanted = client.get(f"{PATH}/configuration").json()["wanted"]
    assert tomllib.loads(wanted["text"])["driver"][0]["device"] == [
        {"id": "leak-9", "type": "water-leak", "dev_eui": EUI}
    ]


def test_what_cannot_be_approved(quiet: Street) -> None:
    runs(quiet)
    tells(quiet, (WAITING, HEARD))
    assert approves(quiet, address="24e1000000000000").json()["error"]["code"] == "cloud.waiting.unknown"
    assert approves(quiet, type="tea-pot").json()["error"]["code"] == "cloud.waiting.type"
    assert approves(quiet, id="Leak 9").status_code == 422
    assert approves(quiet, who="liming").status_code == 403


def test_the_list_is_bounded_and_takes_no_nonsense(quiet: Street) -> None:
    many: list[tuple[str, dict[str, Any]]] = [(WAITING, HEARD | {"address": f"{n:016x}"}) for n in range(MOST + 20)]
    odd: list[dict[str, Any]] = [
        HEARD | {"address": 5},
        HEARD | {"settings": {"a": 1}},
        HEARD | {"name": "x" * 1000},
        {"driver": "lora-1"},
    ]
    tells(quiet, *many, *((WAITING, data) for data in odd))
    assert len(listed(quiet)) == MOST
