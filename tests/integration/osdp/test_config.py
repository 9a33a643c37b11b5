"""The samples are true, and what cannot be used is refused before the line is opened, without showing a key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers import osdp
from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.driver import OsdpDriver
from edge.drivers.osdp.keys import DEFAULT_KEY
from edge.drivers.osdp.store import read_cardholders
from protocols.errors import ConfigError
from tests.integration.osdp.rig import KEY, config

FOLDER = Path(osdp.__file__).parent


def test_the_sample_is_complete_and_says_the_defaults() -> None:
    table = tomllib.loads((FOLDER / "sample.toml").read_text("utf-8"))["driver"][0]
    parsed = OsdpConfig.model_validate(table)
    assert set(table) == set(OsdpConfig.model_fields)
    assert set(table["device"][0]) == set(type(parsed.device[0]).model_fields)
    named = {key: table["device"][0][key] for key in ("id", "address", "key_file")}
    bare = table | {"device": [named]}
    assert OsdpConfig.model_validate(bare) == parsed


def test_the_cardholders_sample_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "cardholders.toml"
    shutil.copyfile(FOLDER / "cardholders.sample.toml", path)
    path.chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        read_cardholders(path)
    assert caught.value.code == "edge.driver.osdp.cardholders-open"
    path.chmod(0o600)
    store = read_cardholders(path)
    assert [person.id for person in store.cardholder] == ["wang-lan", "cleaner-1"]
    assert "271828" not in repr(store)


def test_a_file_with_a_slip_says_where_and_shows_no_code(tmp_path: Path) -> None:
    path = tmp_path / "cardholders.toml"
    for text in ('[[cardholder]]\nid = "a"\ncodes = ["4711"', '[[cardholder]]\nid = "a"\ncodes = ["4711x"]'):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read_cardholders(path)
        assert "4711" not in str(caught.value) + repr(caught.value.params)


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        (KEY.hex(), 0o644, "key-open"),
        (KEY.hex()[:-2], 0o600, "key-length"),
        ("not a key", 0o600, "key-unreadable"),
        (DEFAULT_KEY.hex(), 0o600, "key-default"),
        (None, 0o600, "key-unreadable"),
    ],
)
def test_a_key_that_cannot_be_used(tmp_path: Path, text: str | None, mode: int, code: str) -> None:
    settings = config(tmp_path)
    path = settings.device[0].key_file
    path.unlink()
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        OsdpDriver(settings)
    assert caught.value.code == f"edge.driver.osdp.{code}"
    assert str(path) in str(caught.value)
    assert text is None or text not in str(caught.value)


def test_the_default_key_is_for_install_mode(tmp_path: Path) -> None:
    settings = config(tmp_path, install_mode=True)
    settings.device[0].key_file.write_text(DEFAULT_KEY.hex())
    assert [device.id for device in OsdpDriver(settings).devices] == ["door-3-1"]


def test_cardholders_that_cannot_be_read(tmp_path: Path) -> None:
    settings = config(tmp_path)
    (tmp_path / "cardholders.toml").write_text("cardholder = [")
    with pytest.raises(ConfigError) as caught:
        OsdpDriver(settings)
    assert caught.value.code == "edge.driver.osdp.cardholders-unreadable"


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": 127},
        {"unlock_s": 60},
        {"held_open_s": -1},
        {"colour": "red"},
        {"type": "siren"},
        {"contact_input": -1},
        {"entry": "finger"},
        {"enters": "nowhere"},
    ],
)
def test_a_device_that_cannot_be_used(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(tmp_path, **wrong)


def test_two_readers_of_a_line_are_told_apart(tmp_path: Path) -> None:
    table = config(tmp_path).model_dump()
    table["device"] = [table["device"][0], table["device"][0] | {"id": "door-3-2"}]
    with pytest.raises(ValidationError, match="same address"):
        OsdpConfig.model_validate(table)


def test_nothing_is_written_to_standard_output(tmp_path: Path) -> None:
    """The library logs there unless told otherwise, and what it logs at its end comes from C."""
    script = f"""
from pathlib import Path
from tests.integration.osdp.rig import Rig
rig = Rig(Path({str(tmp_path)!r}))
rig.up()
rig.trigger("unplug")
rig.close()
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=os.environ, capture_output=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
