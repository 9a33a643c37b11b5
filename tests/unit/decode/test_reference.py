"""The examples in docs/reference/decode.md are what the command says, and its table names every kind."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from liandong.cli import main
from liandong.decode import DECODERS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "decode.md").read_text("utf-8")
EXAMPLES = re.findall(
    r"```console\n\$ echo '([^'\n]+)' \| liandong (decode [^\n]+)\n```\n\n```json\n(.+?)\n```", PAGE, flags=re.DOTALL
)


def test_every_kind_is_in_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE.partition("| kind | what |")[2], flags=re.MULTILINE) == list(DECODERS)


@pytest.mark.parametrize(("given", "words", "said"), EXAMPLES, ids=[words for _, words, _ in EXAMPLES])
def test_examples(
    given: str, words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIANDONG_LANG", "en")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    assert main(words.split()) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(said)


def test_examples_are_found() -> None:
    kinds = ["dlt645", "cjt188", "mbus", "gb26875", "osdp", "modbus", "chirpstack"]
    assert [words.split()[1] for _, words, _ in EXAMPLES] == kinds
