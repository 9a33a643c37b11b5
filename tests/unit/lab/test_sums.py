"""Runs summed up: every count, the worst latency, every kind; one bad run makes the sum bad."""

from __future__ import annotations

from typing import Any

from liandong.lab.memory import MOST_PER_HOUR, SETTLED_S, Life, report
from liandong.lab.report import COUNTS
from liandong.lab.sums import summary, total
from liandong.language import speaker


def run(seed: int, *, wrong: tuple[str, ...] = (), p99: float | None = 10.0) -> dict[str, Any]:
    latency = {"p50": 5.0, "p99": p99}
    parts = {**latency, "inside_faults": latency, "outside_faults": latency}
    return {
        **dict.fromkeys(("faults", "injected", *COUNTS, "poison", "thinned", "unconfirmed"), seed),
        "scenario": "mixed",
        "seed": seed,
        "ok": not wrong,
        "wrong": list(wrong),
        "seconds": 60.0,
        "drain_s": seed,
        "limits": {"ram_bound": 9, "before_outbox": 8},
        "misordered_because": {"again": seed},
        "watch": {"violations": [{"count": 1, "planted": False}, {"count": 5, "planted": True}]},
        "commit_latency_ms": parts,
        "urgent_latency_ms": parts,
        "kinds": {"flood": {"injected": 2, "hit": 1, "duty": 0.5}},
        "not_possible": {"disk-read-only": {"count": 2, "cause": {"code": "liandong.lab.disk-not-root", "params": {}}}},
    }


def test_a_sum_has_every_count_of_every_run() -> None:
    found = total([run(1), run(2, p99=70.0)])
    assert (found["ok"], found["seeds"], found["minutes"], found["failed"]) == (True, [1, 2], 2.0, {})
    assert {name: found[name] for name in COUNTS} == dict.fromkeys(COUNTS, 3)
    assert found["limits"] == {"ram_bound": 18, "before_outbox": 16}
    assert found["misordered_because"] == {"again": 3}
    assert (found["violations"], found["longest_drain_s"]) == (2, 2)
    assert found["commit_latency_ms"]["inside_faults"]["p99"] == 70.0
    assert found["kinds"]["flood"] == {"injected": 4, "hit": 2, "duty": 0.5, "seconds": 60}
    assert found["not_possible"]["disk-read-only"]["count"] == 4
    assert "The fault lab is not run by root" in summary(found, speaker("en"))


def test_one_bad_run_makes_the_sum_bad() -> None:
    found = total([run(1), run(2, wrong=("lost",)), run(3, p99=None)])
    assert (found["ok"], found["failed"]) == (False, {2: ["lost"]})


def test_memory_that_grows_is_told_and_memory_that_settles_is_not() -> None:
    def life(part: str, pid: int, per_hour: float, seconds: int) -> Life:
        samples = [(at * 1000, round(50e6 + per_hour * at / 3600)) for at in range(0, seconds, 5)]
        return Life(part=part, pid=pid, samples=samples)

    long = round(3 * SETTLED_S)
    lives = [life("gw-1", 1, 3 * MOST_PER_HOUR, long), life("cloud", 2, 0.2 * MOST_PER_HOUR, long)]
    lives.append(life("broker", 3, 9 * MOST_PER_HOUR, round(SETTLED_S)))
    found = report(lives, 0)
    assert {part: row["grows"] for part, row in found.items()} == {"gw-1": True, "cloud": False, "broker": False}
    assert found["broker"]["slope_mb_per_hour"] is None


def test_a_cache_that_fills_for_long_and_then_stays_is_no_leak() -> None:
    def cloud(grows_for_s: float, seconds: int = 3300) -> dict[str, Any]:
        sizes = [(at, 80e6 + 4 * MOST_PER_HOUR * min(at, grows_for_s) / 3600) for at in range(0, seconds, 5)]
        life = Life(part="cloud", pid=1, samples=[(at * 1000, round(size)) for at, size in sizes])
        found: dict[str, Any] = report([life], 0)["cloud"]
        return found

    assert not cloud(grows_for_s=2200)["grows"]
    assert cloud(grows_for_s=3300)["grows"]
