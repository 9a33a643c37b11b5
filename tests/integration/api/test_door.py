"""What stands at the service's door: sign-in, permissions, sizes, origins, clear sentences."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.api.errors import MOST_BYTES, MOST_SHEET_BYTES
from cloud.identity import passwords
from tests.integration.api.conftest import Street, action


def _error(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["sentence"]
    assert error["code"] not in error["sentence"]
    return answer.status_code, error["code"]


def test_a_link_signs_in_once(served: Street) -> None:
    token = served.link("liming")
    with served.browser() as browser:
        assert _error(browser.get("/api/v1/session")) == (401, "cloud.session.none")
        answer = browser.post("/api/v1/session/link", json={"token": token})
        assert answer.json()["person"]["login"] == "liming"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert token not in cookie
        assert [role["role"] for role in browser.get("/api/v1/session").json()["roles"]] == ["volunteer"]
        assert browser.delete("/api/v1/session").status_code == 200
        assert _error(browser.get("/api/v1/session")) == (401, "cloud.session.none")
        assert _error(browser.post("/api/v1/session/link", json={"token": token})) == (401, "cloud.session.link-used")
    assert [row["action"] for row in served.rows("SELECT action FROM audit ORDER BY id")] == [
        "sign-in.link",
        "sign-out",
    ]


def test_a_password_that_was_set_signs_in_and_a_wrong_one_is_limited(served: Street) -> None:
    with served.signed_in("liming") as browser:
        assert _error(browser.put("/api/v1/session/password", json={"password": "short"})) == (
            422,
            "cloud.password.short",
        )
        assert browser.put("/api/v1/session/password", json={"password": "correct horse"}).status_code == 200
    with served.browser() as browser:
        right, wrong = ({"login": "liming", "password": word} for word in ("correct horse", "battery staple"))
        assert browser.post("/api/v1/session", json=right).status_code == 200
        assert _error(browser.post("/api/v1/session", json={"login": "nobody", "password": "x"})) == (
            401,
            "cloud.session.wrong",
        )
        codes = [_error(browser.post("/api/v1/session", json=wrong))[1] for _ in range(11)]
        assert codes == ["cloud.session.wrong"] * 10 + ["cloud.too-often"]
        assert _error(browser.post("/api/v1/session", json=right)) == (429, "cloud.too-often")
    (row,) = served.rows("SELECT password_hash FROM person WHERE login = 'liming'")
    assert row["password_hash"].startswith("$argon2id$")


def test_no_default_password_exists(served: Street) -> None:
    assert served.rows("SELECT login FROM person WHERE password_hash IS NOT NULL") == []
    assert not passwords.matches(None, "nobody has this password")


def test_each_role_has_its_own_part(served: Street) -> None:
    with served.signed_in("liming") as phone, served.signed_in("chenjing") as console:
        for path in ("overview", "places", "grids", "alarms", "incidents", "responders", "devices"):
            assert _error(phone.get(f"/api/v1/{path}")) == (403, "cloud.forbidden"), path
            assert console.get(f"/api/v1/{path}").status_code == 200, path
        assert _error(console.get("/api/v1/me")) == (403, "cloud.forbidden")
        served.observe("smoke-502", {"smoke": True})
        for name in ("acknowledge", "close", "false-alarm", "escalate"):
            assert _error(phone.post(f"/api/v1/incidents/1/{name}"))[0] == 403


def test_an_offer_is_answered_only_by_whom_it_was_made_to(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in("liming") as mine, served.signed_in("wangfang") as other:
        (offer,) = _wait_offers(mine)
        for path in ("accept", "decline"):
            answer = other.post(f"/api/v1/offers/{offer['id']}/{path}", json=action())
            assert _error(answer) == (404, "cloud.offer.unknown")


def _wait_offers(client: httpx.Client) -> list[dict[str, Any]]:
    from tests.integration.api.conftest import wait_for

    found: list[dict[str, Any]] = wait_for(lambda: client.get("/api/v1/me").json()["offers"])
    return found


def test_a_foreign_origin_a_wrong_type_and_a_huge_body_are_refused_in_one_sentence(served: Street) -> None:
    with served.signed_in("liming") as phone:
        duty = {"on_duty": False}
        evil = {"Origin": "http://evil.example"}
        assert _error(phone.put("/api/v1/me/duty", json=duty, headers=evil)) == (403, "cloud.request.origin")
        del phone.headers["Origin"]
        assert _error(phone.put("/api/v1/me/duty", json=duty)) == (403, "cloud.request.origin")
        phone.headers["Origin"] = str(phone.base_url).rstrip("/")
        assert _error(phone.put("/api/v1/me/duty", content="on_duty=0")) == (415, "cloud.request.not-json")
        assert _error(phone.put("/api/v1/me/duty", json={"on_duty": "x" * MOST_BYTES})) == (
            413,
            "cloud.request.too-large",
        )

        def chunks_of(size: int) -> Iterator[bytes]:
            for _ in range(size // 1024 + 1):
                yield b"x" * 1024

        headers = {"Content-Type": "application/json"}
        assert _error(phone.put("/api/v1/me/duty", content=chunks_of(2 * MOST_BYTES), headers=headers)) == (
            413,
            "cloud.request.too-large",
        )
        for body in (
            b"x" * (MOST_SHEET_BYTES + 1),
            chunks_of(MOST_SHEET_BYTES + 1),
        ):  # another limit: it is the one told
            answer = phone.post("/api/v1/access/import", content=body, headers=headers)
            assert answer.json()["error"]["params"]["most"] == MOST_SHEET_BYTES
        assert phone.get("/api/v1/me").json()["responder"] == {"on_duty": True}
        answer = phone.put("/api/v1/me/duty", json={"on_duty": 3, "more": 1})
        assert _error(answer) == (422, "cloud.invalid.boolean")
        assert _error(phone.put("/api/v1/me/position", json={"lat": 91, "lon": 0})) == (422, "cloud.invalid.high")
        assert _error(phone.post("/api/v1/offers/not-a-uuid/seen")) == (422, "cloud.invalid.uuid")
        for language, sentence in (("en", "lat must be at most 90.0."), ("zh-CN", "lat 不得大于90.0。")):
            assert phone.put("/api/v1/session/language", json={"language": language}).status_code == 200
            answer = phone.put("/api/v1/me/position", json={"lat": 91, "lon": 0})
            assert answer.json()["error"]["sentence"] == sentence
        assert _error(phone.get("/api/v1/nothing")) == (404, "cloud.request.no-such-page")
        assert _error(phone.put("/api/v1/overview", json={})) == (405, "cloud.request.method")


def test_sentences_come_in_the_persons_language(served: Street) -> None:
    with served.browser() as browser:
        told = {
            language: browser.get("/api/v1/session", headers={"Accept-Language": language}).json()["error"]["sentence"]
            for language in ("en", "zh-CN", "zh-Hans-CN,en;q=0.5")
        }
        assert told == {"en": "Please sign in.", "zh-CN": "请先登录。", "zh-Hans-CN,en;q=0.5": "请先登录。"}
        english, chinese = (browser.get(f"/api/v1/i18n/{language}").json() for language in ("en", "zh-CN"))
        assert english["cloud.rule.smoke"] == "Smoke"
        assert chinese["cloud.rule.smoke"] == "烟雾报警"
        assert set(english) == set(chinese)
        assert _error(browser.get("/api/v1/i18n/fr"))[0] == 404
    with served.signed_in("liming") as phone:
        assert phone.put("/api/v1/session/language", json={"language": "en"}).json() == {"language": "en"}
        assert phone.get("/api/v1/session").json()["person"]["language"] == "en"
        assert phone.get("/api/v1/overview").json()["error"]["sentence"].startswith("You are not allowed")


def test_every_answer_carries_the_security_headers(served: Street) -> None:
    with served.browser() as browser:
        for path in ("/docs", "/healthz", "/api/v1/session", "/nothing", "/openapi.json", "/metrics"):
            answer = browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy, path
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_reference_needs_nothing_from_outside(served: Street) -> None:
    with served.browser() as browser:
        page = browser.get("/docs").text
        assert "<script" not in page
        assert not re.search(r"https?://", page)
        paths = browser.get("/openapi.json").json()["paths"]
        for path in paths:
            assert path in page
        assert browser.get("/docs.css").headers["content-type"].startswith("text/css")
        assert browser.get("/healthz").json()["ok"] is True
        assert "liandong_ingest" in browser.get("/metrics").text


def test_off_duty_the_position_is_forgotten_and_hidden(served: Street) -> None:
    with served.signed_in("liming") as phone, served.signed_in("chenjing") as console:
        assert phone.put("/api/v1/me/position", json={"lat": 29.9755, "lon": 122.2975}).status_code == 200
        row = _row(console, "Li Ming")
        assert (row["source"], row["lat"], row["status"]) == ("fix", 29.9755, "free")
        assert phone.put("/api/v1/me/duty", json={"on_duty": False}).json()["responder"] == {"on_duty": False}
        row = _row(console, "Li Ming")
        assert (row["source"], row["lat"], row["status"]) == ("none", None, "off-duty")
        assert phone.put("/api/v1/me/position", json={"lat": 29.9755, "lon": 122.2975}).status_code == 200
        (kept,) = served.rows("SELECT lat FROM responder JOIN person ON person.id = person_id WHERE login = 'liming'")
        assert kept == {"lat": None}
        served.observe("smoke-502", {"smoke": True})
        assert [offer["person"]["name"]["en"] for offer in _offers_of(console, 1)] == ["Wang Fang"]
    assert served.rows("SELECT FROM audit WHERE action = 'responders.view'")


def _row(console: httpx.Client, name: str) -> dict[str, Any]:
    rows = console.get("/api/v1/responders").json()
    found: dict[str, Any] = next(row for row in rows if row["person"]["name"]["en"] == name)
    return found


def _offers_of(console: httpx.Client, incident: int) -> list[dict[str, Any]]:
    from tests.integration.api.conftest import wait_for

    found: list[dict[str, Any]] = wait_for(lambda: console.get(f"/api/v1/incidents/{incident}").json()["offers"])
    return found


@contextmanager
def _simulation(path: Path, answers: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Something that answers on the simulation's socket, a line for a line."""
    asked: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for answer in answers:
                line, _ = listening.accept()
                with line, line.makefile("rwb") as file:
                    asked.append(json.loads(file.readline()))
                    file.write(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(10)


def test_the_drawer_exists_only_with_a_simulation(street: Street, tmp_path: Path) -> None:
    with street.serving(workers=False), street.signed_in("chenjing") as console:
        assert _error(console.get("/api/v1/simulation")) == (404, "cloud.simulation.none")
        assert console.get("/api/v1/session").json()["simulation"] is False
    path = tmp_path / "s"
    with Street(street.database).serving(path, workers=False) as served, served.signed_in("chenjing") as console:
        assert _error(console.get("/api/v1/simulation")) == (503, "cloud.simulation.away")
        refusal = {"ok": False, "error": {"code": "cloud.simulation.refused", "params": {}}}
        triggers = [{"name": "smoke", "targets": []}]
        with _simulation(path, [{"ok": True, "triggers": triggers}, {"ok": True, "did": {"x": 1}}, refusal]) as asked:
            assert console.get("/api/v1/simulation").json() == {"triggers": triggers}
            wanted = {"name": "smoke", "at": "peach-garden/3/502"}
            assert console.post("/api/v1/simulation/trigger", json=wanted).json() == {"did": {"x": 1}}
            answer = console.post("/api/v1/simulation/trigger", json={"name": "flood"})
            assert _error(answer) == (409, "cloud.simulation.refused")
        assert asked == [{"cmd": "list"}, {"cmd": "trigger"} | wanted, {"cmd": "trigger", "name": "flood"}]


@pytest.mark.parametrize("page", ["/", "/console", "/phone", "/in"])
def test_pages_answer_without_a_session(served: Street, page: str) -> None:
    with served.browser() as browser:
        answer = browser.get(page)
        assert answer.status_code in (200, 303, 404)
        if page == "/":
            assert answer.headers["location"] == "/in"


def test_history_and_events_of_a_device(served: Street) -> None:
    served.rows(
        "INSERT INTO series (device_id, metric, datatype, unit) SELECT id, 'temperature', 10, 'Cel' FROM device"
        " WHERE code = 'coldchain-1' RETURNING id"
    )
    served.rows(
        "INSERT INTO reading (ts, series_id, value, quality) SELECT now() - n * interval '1 second', id, n, 192"
        " FROM series, generate_series(1, 600) AS n WHERE metric = 'temperature' RETURNING series_id"
    )
    served.rows(
        "INSERT INTO event (event_id, device_id, ts, kind) SELECT gen_random_uuid(), id, now(), 'vending.reset'"
        " FROM device WHERE code = 'coldchain-1' RETURNING id"
    )
    (device,) = served.rows("SELECT id FROM device WHERE code = 'coldchain-1'")
    with served.signed_in("chenjing") as console:
        base = f"/api/v1/devices/{device['id']}"
        whole = console.get(f"{base}/history", params={"metric": "temperature", "width": 4000}).json()
        assert whole["unit"] == "Cel"
        assert whole["value"] == [float(n) for n in range(600, 0, -1)]
        coarse = console.get(f"{base}/history", params={"metric": "temperature", "width": 10}).json()
        assert 1 <= len(coarse["value"]) <= 10
        assert _error(console.get(f"{base}/history", params={"metric": "salt"})) == (404, "cloud.metric.unknown")
        assert [event["kind"] for event in console.get(f"{base}/events").json()] == ["vending.reset"]
        assert _error(console.get("/api/v1/devices/999999/events")) == (404, "cloud.device.unknown")
