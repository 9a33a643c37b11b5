"""QR codes against codes that another generator made (qrcode 8, level M, the mask in the first line)."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.page.qr import encode, penalty, svg_path
from protocols.errors import ProtocolError

CASES = sorted((Path(__file__).parent / "qr").glob("*.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_code_is_module_for_module_the_other_generators(case: Path) -> None:
    head, *rows = case.read_text("utf-8").splitlines()
    mask, _, text = head.partition(" ")
    assert ["".join("#" if module else "." for module in row) for row in encode(text, int(mask))] == rows


def test_the_mask_that_reads_best_is_taken() -> None:
    text = "liandong:peach-garden/gw-1"
    assert penalty(encode(text)) == min(penalty(encode(text, mask)) for mask in range(8))


def test_what_does_not_fit_is_refused() -> None:
    assert len(encode("x" * 213)) == 57
    with pytest.raises(ProtocolError, match="214 bytes"):
        encode("x" * 214)


def test_a_path_draws_each_run_once() -> None:
    assert svg_path([[True, True, False, True], [False] * 4]) == "M0 0h2v1H0zM3 0h1v1H3z"
