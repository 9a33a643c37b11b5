"""Audits of real machines: each file in ``tests/cases/evadts`` beside what must be read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.evadts import decode_evadts, read
from protocols.evadts.facts import facts
from protocols.evadts.sales import difference

CASES = Path(__file__).parents[2] / "cases" / "evadts"
FILES = sorted(path for path in CASES.iterdir() if path.suffix in (".eva_dts", ".txt"))


def expected(path: Path) -> dict[str, Any]:
    found = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(params=FILES, ids=lambda path: str(path.stem))
def path(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def test_what_deviates(path: Path) -> None:
    audit, wanted = read(path.read_bytes()), expected(path)
    assert audit.ok is wanted["ok"], wanted["why"]
    assert [[finding.level, finding.at, finding.code] for finding in audit.findings] == wanted["findings"]
    assert {"decimals": audit.currency.decimals, "name": audit.currency.name} == wanted["currency"]


def test_every_line_is_kept_word_for_word(path: Path) -> None:
    data = path.read_bytes()
    audit = read(data)
    assert len(audit.records) == expected(path)["records"]
    assert [record.text for record in audit.records] == data.decode("ascii").splitlines()
    assert all("*".join([record.kind, *record.raw]) == record.text for record in audit.records)


def test_values_stand_beside_the_raw_ones(path: Path) -> None:
    document = json.loads(json.dumps(decode_evadts(path.read_bytes())))
    assert document["kind"] == "evadts"
    by_line = {record["line"]: record for record in document["records"]}
    for line, field_id, raw, value, unit in expected(path)["values"]:
        field = next(field for field in by_line[line]["fields"] if field["id"] == field_id)
        assert (field["raw"], field["value"], field.get("unit")) == (raw, value, unit)


def test_counters_of_the_selections(path: Path) -> None:
    snapshot = facts(read(path.read_bytes())).snapshot
    for number, (count, value, price) in expected(path)["slots"].items():
        slot = snapshot.slots[number]
        assert (slot.count, slot.value, slot.price) == (count, value, price)


def test_the_same_audit_twice_is_no_sale(path: Path) -> None:
    snapshot = facts(read(path.read_bytes())).snapshot
    found = difference(snapshot, snapshot, 60)
    assert (found.sales, found.changes, found.baseline) == ((), (), snapshot)


def test_a_changed_byte_is_an_error_with_both_sums() -> None:
    data = (CASES / "mkrasselt1_animo.eva_dts").read_bytes()
    audit = read(data.replace(b"PA2*412*41200", b"PA2*413*41200"))
    assert not audit.ok
    (finding,) = [finding for finding in audit.findings if finding.level == "error"]
    assert finding.code == "g85-mismatch-line-ends"
    assert finding.params["expected"] == "B9AE"
    assert "B9AE" in finding.what("en")
    assert str(finding.params["computed"]) in finding.what("zh-CN")
