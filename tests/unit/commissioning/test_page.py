"""The commissioning page over a real socket, and the walk in a terminal: who gets in, what is kept, what is said."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.commissioning import sheet
from edge.commissioning.door import Door
from edge.commissioning.known import KnownPlaces
from edge.commissioning.photos import MOST_BYTES, Photos
from edge.commissioning.sheet import Sheet
from edge.commissioning.site import POLICY, CommissioningSite
from edge.commissioning.terminal import Walker
from edge.config import EdgeConfig, parse_config
from edge.page.server import PageServer
from protocols.errors import ProtocolError
from protocols.messages import LANGUAGES, Language
from tests.services.ports import free_port
from tests.unit.commissioning.test_photos import jpeg

PLACES = KnownPlaces({"3": {"zh-CN": "3 号楼", "en": "Building 3"}, "3/1": {"zh-CN": "1 单元", "en": "Unit 1"}})


def row(name: str, kind: str, /, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": name, "type": kind, "online": True, "stage": "unplaced", "place": "", "name": ""}
    plain |= {"placed_ms": None, "tested": None, "ticked": False, "firmware": "", "signals": False, "trigger": None}
    return plain | more


@dataclass
class Agent:
    """What answers at the local socket."""

    asked: list[Mapping[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(
        default_factory=lambda: [
            row("door-<1>", "door", signals=True),
            row("smoke-1", "smoke", trigger={"number": 1, "what": "smoke", "value": True, "at_ms": 0}),
        ]
    )
    walk: dict[str, Any] | None = None

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(request)
        if request.get("place") == "?":
            raise ProtocolError("protocols.commissioning.place", value="?")
        for one in self.devices:
            if one["id"] == request.get("device"):
                one |= {"place": request["place"], "name": request["name"], "stage": "placed"}
        if "minutes" in request:
            self.walk = {"id": "1", "state": "running", "minutes": request["minutes"], "left_s": 90}
        return {"devices": self.devices, "walk": self.walk, "at_ms": 1_767_225_600_000, "version": "1.2"}


@pytest.fixture
def config(tmp_path: Path) -> EdgeConfig:
    (tmp_path / "data").mkdir(exist_ok=True)  # the agent has made it
    table = {"group": "garden", "node": "gw-1", "name": "<Garden>", "data": str(tmp_path / "data")}
    made = {"gateway": table, "uplink": {"host": "127.0.0.1"}}
    return parse_config(made, tmp_path / "gateway.toml", {})


@dataclass
class Page:
    agent: Agent
    door: Door
    client: httpx.Client
    base: str

    def enter(self) -> None:
        assert self.client.post("/enter", data={"code": self.door.code}).status_code == 303


@pytest.fixture
def page(config: EdgeConfig) -> Iterator[Page]:
    agent, door, port = Agent(), Door(), free_port()
    site = CommissioningSite(config, agent, PLACES, door, "127.0.0.1")
    server = PageServer("127.0.0.1", port, site, policy=POLICY, most_body=MOST_BYTES, within_s=20)
    with closing(server):
        server.start()
        end = time.monotonic() + 20
        while server.address is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        base = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base, headers={"Origin": base, "Accept-Language": "en"}, timeout=20) as client:
            yield Page(agent, door, client, base)


def test_without_the_code_nothing_is_seen_and_nothing_is_done(page: Page) -> None:
    for path in ("/", "/device?name=smoke-1", "/walk", "/handover", "/photo?name=smoke-1", "/triggers?name=smoke-1"):
        answer = page.client.get(path)
        assert "smoke-1" not in answer.text
        assert "The code that the terminal shows" in answer.text
    for path in ("/place?name=smoke-1", "/photo?name=smoke-1", "/walk", "/stop", "/identify?name=smoke-1"):
        assert "That is not the code" in page.client.post(path, data={"place": "3/1"}).text
    assert page.agent.asked == []


def test_the_code_opens_it_for_one_browser(page: Page) -> None:
    page.enter()
    cookie = page.client.cookies["liandong_commissioning"]
    assert "smoke-1" in page.client.get("/").text
    with httpx.Client(base_url=page.base, headers={"Origin": page.base, "Accept-Language": "en"}) as other:
        assert "used already" in other.post("/enter", data={"code": page.door.code}).text
        assert "smoke-1" not in other.get("/").text
        assert "smoke-1" not in other.get("/", headers={"Cookie": f"liandong_commissioning={cookie}x"}).text


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "https://127.0.0.1"])
def test_another_sites_page_can_change_nothing(page: Page, origin: str) -> None:
    page.enter()
    before = len(page.agent.asked)
    answer = page.client.post("/place?name=smoke-1", data={"place": "3/1"}, headers={"Origin": origin})
    assert (answer.status_code, len(page.agent.asked)) == (403, before)


def test_a_device_is_found_placed_and_photographed(page: Page) -> None:
    page.enter()
    shown = page.client.get("/device?name=smoke-1").text
    assert ("SMOKE (no. 1)" in shown, '<option value="3/1">Building 3, Unit 1</option>' in shown) == (True, True)
    assert page.client.get("/triggers?name=smoke-1").text == "✓ Heard last: SMOKE (no. 1)"
    answer = page.client.post("/place?name=smoke-1", data={"place": "3/1", "title": "<hall>"})
    assert answer.headers["Location"] == "/device?name=smoke-1&said=placed"
    assert page.agent.asked[-1] == {"ask": "commission", "device": "smoke-1", "place": "3/1", "name": "<hall>"}
    assert page.client.post("/photo?name=smoke-1", content=jpeg()).status_code == 303
    assert page.client.get("/photo?name=smoke-1").content == jpeg()
    shown = page.client.get("/device?name=smoke-1&said=placed").text
    assert ("&lt;hall&gt;" in shown, "<hall>" in shown, "kept. The cloud" in shown) == (True, False, True)
    page.client.post("/identify?name=door-%3C1%3E")
    assert page.agent.asked[-1] == {"ask": "commission", "identify": "door-<1>"}


def test_what_the_agent_refuses_is_said(page: Page) -> None:
    page.enter()
    assert "is no place" in page.client.post("/place?name=smoke-1", data={"place": "?"}).text
    assert "no whole JPEG" in page.client.post("/photo?name=smoke-1", content=b"text").text
    assert page.client.post("/photo?name=../../x", content=jpeg()).status_code == 404
    assert page.client.post("/photo?name=smoke-1", content=b"\0" * (MOST_BYTES + 1)).status_code == 413
    assert page.client.get("/nothing").status_code == 404


def test_both_languages_and_the_walk_test(page: Page) -> None:
    page.enter()
    assert page.client.post("/walk", data={"minutes": "10"}).headers["Location"] == "/walk"
    assert page.agent.asked[-1] == {"ask": "commission", "minutes": 10}
    assert "call nobody for 2 more minutes" in page.client.get("/walk").text
    page.client.post("/language")
    assert "现场测试进行中" in page.client.get("/walk").text
    page.client.post("/stop")
    assert page.agent.asked[-1] == {"ask": "commission", "stop": True}
    headers = page.client.get("/").headers
    assert (headers["Content-Security-Policy"], headers["Cache-Control"]) == (POLICY, "no-store")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_names_what_is_missing_and_escapes(config: EdgeConfig, language: Language) -> None:
    photos = Photos(config.gateway.data)
    photos.keep("smoke-1", jpeg())
    devices = [
        row("door-1", "door", name="<b>"),
        row(
            "smoke-1",
            "smoke",
            place="3/1",
            stage="tested",
            firmware="1.2.3",
            tested={"at_ms": 1_767_225_600_000, "what": "smoke"},
        ),
    ]
    found = {"devices": devices, "walk": None, "at_ms": 1_767_225_600_000, "version": "1.2"}
    text = sheet.document(Sheet(config=config, found=found, places=PLACES, photos=photos), language)
    assert ("&lt;b&gt;" in text, "<b>3/1</b>" in text, "1.2.3" in text, "2026-01-01 08:00" in text) == (True,) * 4
    assert text.count("data:image/jpeg;base64,") == 1
    assert ("gateway does not know: 1" if language == "en" else "不知道 1 个设备的位置") in text


def walked(agent: Agent, photos: Photos, typed: str, *, everything: bool = False) -> tuple[bool, str]:
    told = io.StringIO()
    walker = Walker(agent, PLACES, photos, "en", io.StringIO(typed), told)
    return walker.walk(everything=everything), told.getvalue()


def test_the_walk_in_a_terminal(tmp_path: Path) -> None:
    agent, photos = Agent(), Photos(tmp_path)
    picture = tmp_path / "door.jpg"
    picture.write_bytes(jpeg())
    door = ["b", "", "9/9", "", "3//1", "3/1", "hall", "/no/such/file", str(picture)]
    smoke = ["", "?", "s", ""]
    done, told = walked(agent, photos, "\n".join([*door, *smoke, ""]))
    assert done
    asked = [one for one in agent.asked if len(one) > 1]
    assert asked[0] == {"ask": "commission", "identify": "door-<1>"}
    assert asked[1] == {"ask": "commission", "device": "door-<1>", "place": "3/1", "name": "hall"}
    assert "door-<1> has confirmed its signal" in told
    assert "9/9 is not in the list of places" in told
    assert "is no place" in told
    assert "Building 3, Unit 1" in told
    assert photos.find("door-<1>") is not None


def test_a_walk_that_was_broken_off_goes_on_with_what_is_left(tmp_path: Path) -> None:
    agent, photos = Agent(), Photos(tmp_path)
    done, told = walked(agent, photos, "\n3/1\nhall\n\n")
    assert (done, [one["stage"] for one in agent.devices]) == (False, ["placed", "unplaced"])
    assert "1/2  door-<1> (door)" in told
    done, told = walked(agent, photos, "\n3/1\n\n\n")
    assert (done, "1/1  smoke-1 (smoke detector)" in told) == (True, True)
    done, told = walked(agent, photos, "")
    assert (done, "All 2 devices have a place" in told) == (True, True)
    done, told = walked(agent, photos, "q\n", everything=True)
    assert (done, "1/2" in told) == (False, True)
