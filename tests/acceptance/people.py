"""People, as their pages act for them: through the API, with their own session."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.acceptance.street import eventually

Json = dict[str, Any]


class _Person:
    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1{path}")
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: object) -> Json:
        answer = self.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found


class Operator(_Person):
    """Who watches the console."""

    def alarms(self, rule: str | None = None) -> list[Json]:
        """Open alarms, of one rule or all."""
        both = [*self.get("/alarms?queue=people"), *self.get("/alarms?queue=device")]
        return [alarm for alarm in both if rule in (None, alarm["rule"])]

    def incident(self, number: int) -> Json:
        """The whole incident."""
        found: Json = self.get(f"/incidents/{number}")
        return found

    def awaits_alarm(self, rule: str, patience_s: float = 30) -> Json:
        """The active alarm of a rule, as soon as it is there."""
        return eventually(f"alarm {rule}", lambda: next(a for a in self.alarms(rule) if a["active"]), patience_s)

    def does(self, number: int, action: str, **body: object) -> Json:
        """An action on an incident."""
        return self.post(f"/incidents/{number}/{action}", **body)

    def closes_everything(self) -> None:
        """Leave a quiet street: what is open is closed, as an operator may; 409 says that it has closed by itself."""
        for incident in self.get("/incidents?open=true"):
            for action in ("close", "false-alarm"):
                if action in self.incident(incident["id"])["actions"]:
                    path = f"/api/v1/incidents/{incident['id']}/{action}"
                    answer = self.client.post(path, json={"note": "end of the test"})
                    assert answer.status_code in (200, 409), answer.text
                    break


class Volunteer(_Person):
    """Who holds the phone."""

    def me(self) -> Json:
        """What the phone page shows."""
        found: Json = self.get("/me")
        return found

    def awaits_offer(self, patience_s: float = 30) -> Json:
        """The open offer, as soon as it is there."""
        return eventually(
            "an offer", lambda: next(o for o in self.me()["offers"] if o["state"] == "offered"), patience_s
        )

    def accepts(self, offer: str, action_id: str | None = None) -> Json:
        """One thumb."""
        return self.post(f"/offers/{offer}/accept", action_id=action_id or str(uuid.uuid4()))

    def goes(self, offer: str, step: str, **body: object) -> Json:
        """on-the-way, on-scene, done, release."""
        return self.post(f"/assignments/{offer}/{step}", action_id=str(uuid.uuid4()), **body)
