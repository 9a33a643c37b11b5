"""No bytes from a file or a wire raise, and what was said exactly is read exactly."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.evadts import decode_evadts, read, write
from protocols.evadts.dex import AuditReceived, Carrier, Decoder, Identity, Machine, Timers
from protocols.evadts.facts import Slot, Snapshot, facts
from protocols.evadts.sales import difference

CASES = Path(__file__).parents[2] / "cases" / "evadts"
SEEDS = [path.read_bytes() for path in sorted(CASES.glob("*.eva_dts")) + sorted(CASES.glob("*.txt"))]

words = st.one_of(
    st.text(st.characters(blacklist_characters="*\r\n"), max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["4294967295", "0", "-1", "1" * 5000, "20261340", "۴"]),
)
kinds = st.sampled_from(
    [
        "DXS",
        "DXE",
        "ST",
        "SE",
        "G85",
        "ID1",
        "ID4",
        "ID5",
        "VA1",
        "PA1",
        "PA2",
        "PA7",
        "CA15",
        "CA17",
        "DA2",
        "EA1",
        "EA2",
        "EA4",
        "MA5",
        "ZZ9",
        "LS",
    ]
)
lines = st.builds(lambda kind, fields: "*".join([kind, *fields]), kinds, st.lists(words, max_size=12))
files = st.builds(
    lambda rows, end: end.join(rows).encode("utf-8", "surrogatepass"),
    st.lists(lines, max_size=30),
    st.sampled_from(["\r\n", "\n", "\r", "\r\n\r\n"]),
)
counters = st.one_of(st.none(), st.integers(0, 2**32))
slots = st.builds(lambda count, value, price: Slot(count=count, value=value, price=price), counters, counters, counters)
snapshots = st.builds(
    lambda total, named, begun: Snapshot(machine="SN1", initialised=begun, total=total, slots=named),
    slots,
    st.dictionaries(st.sampled_from(["1", "2", "3"]), slots),
    st.sampled_from(["", "2026-01-01", "2026-02-01"]),
)


@given(st.one_of(st.binary(max_size=2000), files))
def test_no_file_raises(data: bytes) -> None:
    json.dumps(decode_evadts(data))
    json.dumps(facts(read(data)).snapshot.to_state())


@given(st.sampled_from(SEEDS), st.integers(0, 5000), st.integers(0, 5000), st.binary(max_size=20))
def test_no_damaged_audit_raises(data: bytes, begin: int, end: int, instead: bytes) -> None:
    audit = read(data[:begin] + instead + data[end:])
    assert all(finding.what("en") and finding.what("zh-CN") for finding in audit.findings)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**12).filter(lambda n: n != 2**32 - 1)), max_size=20))
def test_what_is_written_is_read(numbers: list[tuple[int, int]]) -> None:
    records = [("ID4", (2, "1156", "CNY"))] + [("CA2", (value, count)) for count, value in numbers]
    audit = read(write(records, communication_id="LDG0000001"))
    assert audit.findings == ()
    assert [(record.count("count-init"), record.minor("value-init")) for record in audit.of("CA2")] == [
        (count, value) for count, value in numbers
    ]


@settings(max_examples=40)  # two whole machines an example: slow to draw
@given(snapshots, snapshots, st.one_of(st.none(), st.floats(-1e6, 1e9)))
def test_no_sale_is_negative_and_none_is_counted_twice(
    before: Snapshot, after: Snapshot, elapsed_s: float | None
) -> None:
    found = difference(before, after, elapsed_s)
    for sale in found.sales:
        assert sale.count > 0
        assert sale.value is None or sale.value >= 0
        assert sum(value or 0 for _, value in sale.each()) == (sale.value or 0)
    assert difference(found.baseline, found.baseline, 1).sales == ()


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_on_the_line_raise(chunks: list[bytes]) -> None:
    whole, pieces = Decoder(), Decoder()
    once = whole.feed(b"".join(chunks))
    assert [token for chunk in chunks for token in pieces.feed(chunk)] == once


tokens = st.sampled_from(
    [
        b"\x05",
        b"\x04",
        b"\x15",
        b"\x100",
        b"\x101",
        b"\x10;",
        Identity(id="SIM1234567").answer("00"),
        Identity(id="SIM1234567").request("S"),
        Identity(id="SIM1234567").request("R"),
        b"\x10\x02",
        b"noise",
    ]
)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.one_of(tokens, st.binary(max_size=8)), st.floats(0, 3)), max_size=60), st.booleans())
def test_no_other_side_raises_or_hangs_a_session(script: list[tuple[bytes, float]], ours: bool) -> None:
    now = 0.0
    side = Carrier(Identity(id="LDG0000001"), Timers()) if ours else Machine(Identity(id="SIM1234567"), lambda: b"x")
    if isinstance(side, Carrier):
        side.start(now)
    for data, pause in script:
        step = side.feed(data, now)
        if isinstance(side, Carrier) and any(isinstance(event, AuditReceived) for event in step.events):
            side.confirm(now)
        now += pause
        side.poll(now)
    for _ in range(500):
        if not side.busy:
            break
        assert side.due is not None
        now = max(now, side.due)
        side.poll(now)
    assert not side.busy, "every session ends"
