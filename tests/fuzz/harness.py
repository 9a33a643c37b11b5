"""One atheris run, in its own interpreter: ``harness KIND CORPUS [libFuzzer options]``; KIND ``all`` is every kind.

No input may raise, hang, grow memory, or make a document that is not sound. libFuzzer ends the run with the input that
does (`-artifact_prefix`), else with its statistics.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["protocols", "liandong"]):
    from liandong.decode import DECODERS

    for decoder in DECODERS.values():  # each imports its protocol when it is called first
        decoder(b"")

from tests.fuzz.seeds import KINDS, seeds

Decode = Callable[[bytes], dict[str, Any]]
MOST_OF_ONE_BYTE = 4000
"""Characters that a document may grow by for a byte: a control character becomes a frame of its own."""


def sound(kind: str, document: dict[str, Any], size: int) -> None:
    """Raise AssertionError for a document that nobody could rely on."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)
    assert document["kind"] == kind
    assert document["ok"] is all(finding["level"] != "error" for finding in document["findings"])
    assert len(text) < 200_000 + MOST_OF_ONE_BYTE * size
    for finding in document["findings"]:
        assert "{" not in finding["what"] or kind in ("evadts", "sparkplug"), finding


def one_kind(kind: str) -> Callable[[bytes], None]:
    """The target of a kind."""
    return lambda data: sound(kind, DECODERS[kind](data), len(data))


def every_kind(data: bytes) -> None:
    """The first byte chooses the kind."""
    if data:
        one_kind(KINDS[data[0] % len(KINDS)])(data[1:])


def main(kind: str, corpus: Path, options: list[str]) -> None:
    """Fill `corpus` with the seeds, and run until libFuzzer ends it."""
    corpus.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(KINDS):
        for number, seed in enumerate(seeds(name) if kind in (name, "all") else []):
            head = bytes([index]) if kind == "all" else b""
            (corpus / f"seed-{name}-{number}").write_bytes(head + seed)
    atheris.Setup([sys.argv[0], str(corpus), *options], every_kind if kind == "all" else one_kind(kind))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
