"""Every fault in a configuration names the key, the value and what is allowed, in both languages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from edge.app import EdgeAgent
from edge.config import GatewayTable, OutboxTable, PageTable, UplinkTable, load_config, parse_config
from edge.drivers.port import DeviceConfig, DriverContext, DriverFamily
from protocols.errors import ConfigError
from protocols.events import Value
from protocols.messages import LANGUAGES, catalogue, sentence

GOOD = """
[gateway]
group = "peach-garden"
node = "gw-1"
[uplink]
host = "127.0.0.1"
[[driver]]
family = "idle"
name = "bus"
keys = "keys.bin"
device = [{id = "smoke-1", type = "smoke"}, {id = "siren-1", type = "siren"}]
[[rule]]
code = "smoke-siren"
where = {types = ["smoke"]}
when = {type = "state", metric = "smoke"}
actions = [{device = "siren-1", output = "sound"}]
"""


class IdleConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["idle"] = "idle"
    name: str
    keys: Path | None = None
    device: tuple[DeviceConfig, ...] = ()


class Idle:
    def __init__(self, config: IdleConfig) -> None:
        self.devices = config.device

    def run(self, ctx: DriverContext) -> None:
        ctx.stop.wait()

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        raise NotImplementedError


FAMILIES = {"idle": lambda: DriverFamily(name="idle", config=IdleConfig, make=Idle)}


def check(text: str) -> None:
    EdgeAgent(parse_config(tomllib.loads(text), Path("/etc/liandong/gateway.toml"), FAMILIES))


def test_a_good_one_is_read_and_its_paths_begin_at_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(GOOD)
    config = load_config(file, FAMILIES)
    assert config.gateway.data == tmp_path / "data"
    settings = config.drivers[0].settings
    assert isinstance(settings, IdleConfig)
    assert settings.keys == tmp_path / "keys.bin"
    EdgeAgent(config)


@pytest.mark.parametrize(
    ("old", "new", "code", "params"),
    [
        ("node =", "nod =", "unknown-key-near", {"key": "gateway.nod", "hint": "node"}),
        ("name =", "adress = 1\nname =", "unknown-key", {"key": "driver[0].adress"}),
        ('node = "gw-1"\n', "", "missing", {"key": "gateway.node"}),
        ('"gw-1"', '"GW.1"', "pattern", {"key": "gateway.node", "value": "'GW.1'"}),
        ('"gw-1"', "1", "needs-string", {"key": "gateway.node", "value": "1"}),
        ("[uplink]", "[uplink]\nport = 0", "out-of-bounds", {"key": "uplink.port", "value": "0", "allowed": "≥ 1"}),
        ("[uplink]", "[uplink]\nport = 'x'", "needs-int", {"key": "uplink.port"}),
        ("[uplink]", "[uplink]\ndelivery = 'maybe'", "not-allowed", {"key": "uplink.delivery"}),
        ("[uplink]", "[uplink]\nprimary_host = ''", "no-primary-host", {"key": "uplink.primary_host"}),
        ("[uplink]", "[uplink]\nusername = 'a'\npassword_file = 'no'", "file-missing", {"key": "uplink.password_file"}),
        ("[uplink]", "timezone = 'Mars'\n[uplink]", "timezone", {"key": "gateway.timezone", "value": "'Mars'"}),
        ('"idle"', '"idel"', "not-allowed", {"key": "driver[0].family", "hint": "idle"}),
        # tck-id-topic-structure-namespace-unique-device-id
        ('id = "siren-1"', 'id = "smoke-1"', "twice", {"key": "driver[0].device[1].id"}),
        ('type = "siren"', 'type = "sirene"', "not-allowed", {"key": "driver[0].device[1].type"}),
        ('device = "siren-1"', 'device = "siren-2"', "not-allowed", {"key": "rule[0].actions[0].device"}),
        (
            'output = "sound"',
            'output = "song"',
            "not-allowed",
            {"key": "rule[0].actions[0].output", "allowed": "sound"},
        ),
        ('metric = "smoke"', 'metric = "smok"', "not-allowed", {"key": "rule[0].when.metric", "hint": "smoke"}),
        ('metric = "smoke"', 'metrik = "smoke"', "unknown-key-near", {"hint": "metric"}),
        ('"state"', '"stat"', "not-allowed", {"key": "rule[0].when.type", "value": "'stat'"}),
        ('where = {types = ["smoke"]}', 'where = {place = "a"}', "rule-place", {"key": "rule[0].where.place"}),
    ],
)
def test_a_fault_names_its_place(old: str, new: str, code: str, params: Mapping[str, Any]) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as found:
        check(GOOD.replace(old, new, 1))
    assert found.value.code == f"edge.config.{code}"
    assert {key: found.value.params[key] for key in params} == params
    for language in LANGUAGES:
        told = sentence(found.value.code, found.value.params, language)
        assert "gateway.toml" in told
        assert str(found.value.params["key"]) in told
        assert not re.search(r"\{[a-z_]+\}", told)


def test_a_file_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[gateway\n")
    with pytest.raises(ConfigError, match="line 1"):
        load_config(file)
    with pytest.raises(ConfigError) as missing:
        load_config(tmp_path / "none.toml")
    assert missing.value.code == "edge.config.absent"


def test_both_languages_say_the_same_things() -> None:
    assert catalogue("edge", "en").keys() == catalogue("edge", "zh-CN").keys()


def test_the_sample_is_valid_and_its_comments_are_the_defaults(tmp_path: Path) -> None:
    text = files("edge").joinpath("sample.toml").read_text("utf-8")
    plain = parse_config(tomllib.loads(text), tmp_path / "gateway.toml")
    shown = re.sub(r"^# (\w+ = )", r"\1", text.partition("# username")[0], flags=re.MULTILINE)
    shown += re.sub(
        r"^# ", "", "# [outbox]" + text.partition("# [outbox]")[2].partition("\n# A local rule")[0], flags=re.MULTILINE
    )
    full = parse_config(tomllib.loads(shown), tmp_path / "gateway.toml")
    assert plain.page is None, "where there is no table, nothing is served"
    assert full == replace(plain, page=PageTable())
    tables = tomllib.loads(shown)
    left_out = {"name", "username", "password_file", "tls"}
    for name, model in (("gateway", GatewayTable), ("uplink", UplinkTable), ("outbox", OutboxTable)):
        assert model.model_fields.keys() - tables[name].keys() <= left_out
