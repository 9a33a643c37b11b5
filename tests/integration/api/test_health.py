"""What the service tells of itself to whoever watches it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest

from cloud.api import system
from cloud.api.services import Services
from cloud.api.shared import FRESH_S
from cloud.storage import workers
from tests.integration.api.conftest import Street, wait_for
from tests.integration.api.test_stream import _listening


def test_what_wants_somebody_to_look_is_named_and_the_service_goes_on(street: Street) -> None:
    with street.serving(workers=False) as served, served.browser() as anybody:
        assert anybody.get("/healthz").json()["warnings"] == []
        served.rows("INSERT INTO poison (topic, payload, code) VALUES ('t', '', 'cloud.ingest.unjudged') RETURNING id")
        served.rows(
            "INSERT INTO due (kind, ref, due_at, attempts) VALUES ('x', 'y', now() - interval '1 h', 3) RETURNING id"
        )
        answer = wait_for(lambda: _changed(anybody, "failing_timers"))
        told = answer.json()
        assert (answer.status_code, told["ok"], told["warnings"]) == (200, True, ["timers", "unjudged"])
        assert (told["failing_timers"], told["unjudged"], told["late_timers"]) == (1, 1, 0)
        served.rows("INSERT INTO due (kind, ref, due_at) VALUES ('x', 'z', now() - interval '1 h') RETURNING id")
        late = wait_for(lambda: _changed(anybody, "late_timers"))
        assert (late.status_code, late.json()["ok"], late.json()["late_timers"]) == (503, False, 1)


def _changed(browser: httpx.Client, *keys: str) -> httpx.Response | None:
    """The answer, when what stands there is no longer nothing."""
    answer = browser.get("/healthz")
    found = answer.json()
    for key in keys:
        found = found[key]
    return answer if found else None


def test_however_many_ask_the_database_is_asked_twice_a_second(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float]()

    def standing(given: Services) -> system.Stand:
        asked.append(time.monotonic())
        time.sleep(0.2)
        return ask(given)

    ask = system.standing
    monkeypatch.setattr(system, "standing", standing)
    with street.serving(workers=False) as served, served.browser() as one, ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: one.get("/healthz").status_code, range(200)))
        wait_for(lambda: one.get("/healthz").status_code == 200 and len(asked) >= 3)
    assert answers == [200] * 200
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert min(gaps) >= FRESH_S


def test_names_of_workers_and_groups_are_for_administrators(street: Street) -> None:
    with street.serving(workers=False) as served, served.browser() as anybody, served.signed_in("chenjing") as desk:
        assert served.services is not None
        figures = {"waiting_s": 2.5, "connected": True, "storing": True, "lagging": {"secret-estate": 2.5}}
        with served.database.transaction() as tx:
            for name, told in (("secret-host/1", figures), ("secret-host/2", {})):
                me = workers.Member(id=uuid4(), host_id=served.services.host_id, name=name, connection="none")
                workers.beat(tx, me, told)
        alone = {"count": 2, "well": 1, "groups": 0, "waiting_s": 2.5}
        answer = wait_for(lambda: _changed(anybody, "workers", "count"))
        assert answer.json()["workers"] == alone
        assert "secret" not in answer.text
        with served.signed_in("liming") as volunteer:
            assert volunteer.get("/healthz").json()["workers"] == alone
        each = desk.get("/healthz").json()["workers"]["each"]
        assert [(one["name"], one["lagging"]) for one in each] == [
            ("secret-host/1", {"secret-estate": 2.5}),
            ("secret-host/2", {}),
        ]
        assert anybody.get("/metrics").status_code == 200
        from_afar = {"X-Forwarded-For": "203.0.113.7"}
        refused = anybody.get("/metrics", headers=from_afar)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "cloud.metrics.closed")
        assert "secret" not in refused.text
        assert desk.get("/metrics", headers=from_afar).status_code == 200


def test_a_token_opens_the_figures_from_anywhere_and_closes_them_to_all_others(street: Street) -> None:
    with street.serving(workers=False, metrics_token="t0ken") as served, served.browser() as anybody:
        for authorization, status in (("Bearer t0ken", 200), ("Bearer t0ke", 403), ("", 403), ("Bearer ü", 403)):
            headers = [(b"Authorization", authorization.encode()), (b"X-Forwarded-For", b"203.0.113.7")]
            assert anybody.get("/metrics", headers=headers).status_code == status, authorization
        assert anybody.get("/metrics").status_code == 403


def test_figures_follow_what_happens(served: Street) -> None:
    with served.signed_in("chenjing") as desk, _listening(desk) as events:
        next(events)
        assert "liandong_rollups_waiting_seconds 0.0" in desk.get("/metrics").text.splitlines()
        waiting = "INSERT INTO rollup_mark (received_at, stretches) VALUES (now() - interval '1 h', '') RETURNING id"
        served.rows(waiting)
        served.observe("smoke-502", {"smoke": True})
        wait_for(lambda: served.rows("SELECT FROM offer"))
        text = desk.get("/metrics").text
        assert "liandong_rollups_waiting_seconds 36" in text, "an hour and some seconds"
    for line in (
        "liandong_database_up 1.0",
        "liandong_stream_clients 1.0",
        'liandong_alarms_active{severity="P1"} 1.0',
        'liandong_alarms_active{severity="P2"} 0.0',
        "liandong_incidents_open 1.0",
        "liandong_offers_open 2.0",
        'liandong_timers{state="late"} 0.0',
    ):
        assert line in text.splitlines(), line
