"""The samples are the documentation: they must be true. And what a person may write wrongly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers import FAMILIES
from edge.drivers.textline.lines import Lines
from edge.drivers.web.config import WebDevice
from edge.drivers.web.fetch import Fetch
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError, DeviceError
from protocols.picking import UNITS, Pick, at_pointer

FOLDERS = {"line": "textline", "http": "web", "gpio": "gpio"}


def text(family: str) -> str:
    return (files(f"edge.drivers.{FOLDERS[family]}") / "sample.toml").read_text("utf-8")


def sample(family: str) -> dict[str, Any]:
    (table,) = tomllib.loads(text(family))["driver"]
    assert isinstance(table, dict)
    return table


ASKED = sample("line")["device"][0]


@pytest.mark.parametrize("family", FOLDERS)
def test_the_sample_makes_a_driver_and_shows_every_key(family: str) -> None:
    found = FAMILIES[family]()
    made = found.make(found.config.model_validate(sample(family)))
    assert len(made.devices) >= 2
    shown = text(family)
    assert all(f"{key} = " in shown or f"{key}]]" in shown for key in found.config.model_fields)
    for device in made.devices:
        assert device.type in DEVICE_TYPES
        assert all(f"{key} = " in shown or f".{key}]]" in shown for key in type(device).model_fields)


@pytest.mark.parametrize(
    ("family", "path", "change", "code"),
    [
        ("line", (), {"tcp": "host:1"}, "edge.driver.line.one-line"),
        ("line", ("device", 0), {"request": ""}, "edge.driver.line.mixed"),
        ("line", (), {"encoding": "latin-1", "line_end": "；"}, "edge.driver.line.encoding"),
        ("line", (), {"encoding": "ascii", "device": [ASKED | {"request": "读"}]}, "edge.driver.line.encoding"),
        ("line", ("device", 0), {"pattern": "(?P<t>a)(?P<t>b)"}, "protocols.pattern.group"),
        ("line", ("device", 0, "value", 0), {"group": "x"}, "edge.driver.line.group"),
        ("line", ("device", 0, "value", 0), {"metric": "smoke"}, "protocols.picking.metric"),
        ("line", ("device", 0, "value", 0), {"unit": "bar"}, "protocols.picking.unit"),
        ("http", ("device", 0), {"url": "ftp://x/"}, "edge.driver.http.url"),
        ("http", ("device", 0), {"url": "http://user:word@x/"}, "edge.driver.http.url"),
        ("http", ("device", 0), {"url": "http://x/\r\nHost: y"}, "edge.driver.http.url"),
        ("http", ("device", 0), {"url": "http://x:99999/"}, "edge.driver.http.url"),
        ("http", ("device", 0), {"username": "me"}, "edge.driver.http.credentials"),
        ("http", ("device", 0, "value", 0), {"pattern": "(?P<value>a)"}, "edge.driver.http.one-place"),
        ("http", ("device", 1, "value", 0), {"pattern": "a"}, "edge.driver.http.no-group"),
        ("http", ("device", 0, "value", 0), {"event": "sos", "metric": ""}, "protocols.picking.event"),
        ("gpio", ("device", 0), {"input": []}, "edge.driver.gpio.nothing"),
        ("gpio", ("device", 0, "input", 0), {"metric": ""}, "edge.driver.gpio.one-meaning"),
        ("gpio", ("device", 0, "input", 0), {"metric": "battery"}, "edge.driver.gpio.metric"),
        ("gpio", ("device", 1, "input", 0), {"event": "sos"}, "edge.driver.gpio.event"),
        ("gpio", ("device", 2, "output", 0), {"output": "sound"}, "edge.driver.gpio.output"),
        ("gpio", ("device", 2, "output", 0), {"gpio": "17"}, "edge.driver.gpio.pin-twice"),
    ],
)
def test_each_fault_has_its_sentence(
    family: str, path: tuple[str | int, ...], change: dict[str, Any], code: str
) -> None:
    table = sample(family)
    inner: Any = table
    for step in path:
        inner = inner[step]
    inner |= change
    with pytest.raises(ConfigError) as wrong:
        FAMILIES[family]().config.model_validate(table)
    assert wrong.value.code == code
    assert not str(wrong.value).startswith(code)


@pytest.mark.parametrize("pin", ["GPIO", "17a", "", "GPIO171"])
def test_a_pin_has_a_number(pin: str) -> None:
    table = sample("gpio")
    table["device"][0]["input"][0]["gpio"] = pin
    with pytest.raises(ValidationError):
        FAMILIES["gpio"]().config.model_validate(table)


def test_units_become_those_of_the_catalogue() -> None:
    climate, tank = DEVICE_TYPES["climate"].metric("temperature"), DEVICE_TYPES["water-level"].metric("level")
    assert climate is not None
    assert tank is not None
    assert Pick(metric="temperature", unit="[degF]").value(climate, "212") == 100
    assert Pick(metric="temperature", unit="K", scale=0.1).value(climate, 2731.5) == 0
    assert Pick(metric="level", unit="cm", offset=-5).value(tank, 105) == 1
    assert Pick(metric="level").value(tank, "1e999") is None
    assert Pick(metric="level").value(tank, True) is None
    known = {metric.unit for row in DEVICE_TYPES.values() for metric in row.metrics}
    assert all(base in known for base, _, _ in UNITS.values()), "each leads to a unit that something is measured in"


def test_on_and_off() -> None:
    spec = DEVICE_TYPES["contact"].metric("contact-open")
    assert spec is not None
    both = Pick(metric="contact-open", on=("open", 3), off=("shut",))
    assert [both.value(spec, raw) for raw in ("OPEN ", 3.0, "3", "shut", "ajar", None)] == [
        True,
        True,
        True,
        False,
        None,
        None,
    ]
    assert Pick(metric="contact-open", off=(0,)).value(spec, "ajar") is True
    plain = Pick(metric="contact-open")
    assert [plain.value(spec, raw) for raw in (True, 0, "on", "maybe")] == [True, False, True, None]


def test_events_happen_or_do_not() -> None:
    pick = Pick(event="button.pressed")
    assert pick.observation("b", "button", "short", 1) is not None
    nothing: tuple[object, ...] = ("", 0, False, "off", None, {})
    assert all(pick.observation("b", "button", raw, 1) is None for raw in nothing)
    only = Pick(event="button.pressed", on=("long",))
    assert only.observation("b", "button", "short", 1) is None


def test_json_pointers() -> None:
    document = {"a": [{"b/c": 1}, {"~d": 2}], "": 3}
    assert at_pointer(document, "/a/0/b~1c") == 1
    assert at_pointer(document, "/a/1/~0d") == 2
    assert at_pointer(document, "/") == 3
    assert at_pointer(document, "") == document
    for nowhere in ("/b", "/a/2", "/a/-1", "/a/x", "/a/0/b/c", "/a/99999999999"):
        assert at_pointer(document, nowhere) is None


def test_lines_are_bounded() -> None:
    lines = Lines(b"\n", 8)
    assert lines.feed(b"one\r\ntw") == [b"one"]
    assert lines.feed(b"o\n") == [b"two"]
    assert lines.feed(b"x" * 10_000) == []
    assert lines.feed(b"rest of it\nthree\n") == [b"three"]
    assert lines.feed(b"0123456789\n12345678\n") == [b"12345678"]
    assert lines.dropped == 2
    lines.feed(b"half")
    lines.forget()
    assert lines.feed(b"new\n") == [b"new"]


def test_what_an_address_hides_is_in_no_sentence() -> None:
    table = sample("http")["device"][0] | {"url": "http://127.0.0.1:1/status?key=open-sesame", "timeout_s": 0.5}
    with pytest.raises(DeviceError) as away:
        Fetch(WebDevice.model_validate(table)).get()
    assert away.value.params["url"] == "http://127.0.0.1:1/status"
    assert "sesame" not in repr(away.value.params)
    with pytest.raises(ConfigError) as wrong:
        WebDevice.model_validate(table | {"url": "ftp://me:open-sesame@x/a?key=open-sesame#open-sesame"})
    assert wrong.value.params["url"] == "ftp://…@x/a"
