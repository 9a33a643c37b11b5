"""Configurations as texts: TOML there and back, hashes, pieces, differences, secrets."""

from __future__ import annotations

import json
import random
import string
import tomllib
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.drivers import FAMILIES
from protocols import configuration
from protocols.errors import ProtocolError

ROOT = Path(__file__).parents[3]
SAMPLES = sorted((ROOT / "edge").rglob("*sample.toml"))
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none().flatmap(
        lambda _: (
            st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, width=32) | TEXT | st.dates()
        )
    ),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
@example({"a\n": {"b\n": 1}, "c\n": []})
def test_what_is_written_reads_as_it_was(document: dict[str, Any]) -> None:
    assert tomllib.loads(configuration.to_toml(document)) == document


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_samples_keep_their_content_without_their_comments(path: Path) -> None:
    document = tomllib.loads(path.read_text("utf-8"))
    text = configuration.to_toml(document)
    assert tomllib.loads(text) == document
    assert configuration.content_hash(tomllib.loads(text)) == configuration.content_hash(document)
    assert list(configuration.secret_keys(document)) == []


def test_comments_are_no_content_and_values_are() -> None:
    first, second = (configuration.parse(text) for text in ("a = 1\n[b]\nc = 2\n", "# x\na = 1  # y\n\n[b]\nc = 2\n"))
    assert configuration.content_hash(first) == configuration.content_hash(second)
    assert configuration.content_hash(first) != configuration.content_hash({"a": 1, "b": {"c": 3}})


def test_pieces_make_the_text_again_and_damage_is_noticed() -> None:
    rng = random.Random(7)
    text = "".join(rng.choice(string.ascii_letters + "网关\n") for _ in range(20_000))
    pieces = configuration.to_pieces(text)
    assert 1 < len(pieces) <= configuration.MAX_PIECES
    assert all(len(piece) <= configuration.PIECE for piece in pieces)
    assert configuration.from_pieces(pieces) == text
    for bad in (pieces[:-1], pieces[::-1], ["!"], [""], [pieces[0][:-8]]):
        with pytest.raises(ProtocolError):
            configuration.from_pieces(bad)


def test_what_blows_up_is_not_unpacked() -> None:
    with pytest.raises(ProtocolError) as caught:
        configuration.from_pieces(configuration.to_pieces("x" * 50_000_000))
    assert caught.value.code == "protocols.configuration.too-long"
    with pytest.raises(ProtocolError):
        configuration.parse("x = 1\n" + "#" * configuration.MAX_BYTES)


def test_differences_name_keys_as_people_do() -> None:
    before = {"uplink": {"port": 1}, "driver": [{"name": "a", "device": [{"id": "m", "unit": 1}]}, {"name": "b"}]}
    after = {
        "uplink": {"port": 2},
        "driver": [{"name": "b"}, {"name": "a", "device": [{"id": "m", "unit": 3}]}],
        "x": [1],
    }
    found = {(one.key, one.wanted, one.reported) for one in configuration.differences(after, before)}
    assert found == {("uplink.port", "2", "1"), ("driver[a].device[m].unit", "3", "1"), ("x", "[1]", None)}
    assert configuration.differences(before, before) == []


def test_secrets_are_found_wherever_they_stand_and_files_may_be_named() -> None:
    document = configuration.parse(
        'password_file = "a"\nkey_file = "b"\nuplink = { password = "x" }\n'
        '[[driver]]\nscbk = "00"\n[[driver.device]]\napi_token = "t"'
    )
    assert list(configuration.secret_keys(document)) == [
        "uplink.password",
        "driver[0].scbk",
        "driver[0].device[0].api_token",
    ]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_no_driver_has_a_place_for_a_secret(family: str) -> None:
    """What a configuration cannot hold cannot be sent up: secrets are files on the gateway, named by their path."""
    schema = FAMILIES[family]().config.model_json_schema()
    tables = [schema, *schema.get("$defs", {}).values()]
    names = {name: "" for table in tables for name in table.get("properties", {})}
    assert list(configuration.secret_keys(names)) == []


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "[]",
        "1",
        "x" * 20_000,
        '{"host": "a", "id": "no"}',
        json.dumps({"host": "a", "id": str(uuid.UUID(int=1)), "number": 0}),
    ],
)
def test_messages_that_say_nothing(said: str) -> None:
    with pytest.raises(ProtocolError):
        configuration.read(said)


@given(
    st.sampled_from(sorted(configuration.KINDS)),
    st.dictionaries(
        st.sampled_from(("id", "hash", "number", "ticket", "last", "params", "error", "piece")),
        st.none() | st.integers() | TEXT | st.lists(TEXT),
    ),
)
def test_events_of_any_content_are_read_or_not(kind: str, data: dict[str, Any]) -> None:
    found = configuration.told(kind, json.loads(json.dumps(data)))
    assert found is None or found.kind == kind


@pytest.mark.parametrize("text", ["a" + ".a" * 5000 + " = 1", "a = " + "[" * 40 + "]" * 40, "[a" + ".a" * 40 + "]"])
def test_what_is_nested_deeper_than_anything_that_is_read_is_no_configuration(text: str) -> None:
    with pytest.raises(ProtocolError):
        configuration.parse(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 2**31},
        {"number": -1},
        {"number": float("inf")},
        {"piece": 2**40},
        {"pieces": 17},
        {"id": 5},
        {"hash": "0" * 63},
    ],
    ids=str,
)
def test_what_a_gateway_cannot_mean_is_no_word_about_a_configuration(wrong: dict[str, Any]) -> None:
    """What no column holds would keep the rest of its message out of the database."""
    said = {"number": 1, "hash": "0" * 64, "id": str(uuid.uuid4())}
    assert configuration.told(configuration.RUNNING, said) is not None
    assert configuration.told(configuration.RUNNING, said | wrong) is None


def test_what_became_of_the_last_wish_is_an_outcome_or_nothing() -> None:
    last = {"number": 1, "hash": "0" * 64, "id": str(uuid.uuid4())}
    for kind, known in ((configuration.CONFIRMED, True), (configuration.RUNNING, False), (configuration.TRYING, False)):
        said = configuration.told(configuration.RUNNING, last | {"last": last | {"kind": kind}})
        assert said is not None
        assert (said.last is not None) is known
