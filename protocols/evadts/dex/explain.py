"""What a captured DEX/UCS line says, as plain JSON for a person: `decode_dex`.

A capture may hold both directions or one. The audit is put together from the data blocks that were acknowledged (or,
where nobody answers in the capture, from all that differ from the one before) and read like an EVA-DTS file.
"""

from __future__ import annotations

from typing import Any, Final

from protocols.capture import Report
from protocols.evadts.crc import crc16
from protocols.evadts.dex.frames import ACK_TOKENS, Block, Control, Decoder
from protocols.evadts.reader import decode_evadts

_DLE, _ETX, _ETB = 0x10, 0x03, 0x17
_HEADS: Final = (0x01, 0x02)
_REQUEST_BYTES: Final = 17
_ANSWER_BYTES: Final = 18
_OPERATIONS: Final = {"R": "read-audit", "S": "send-configuration", "M": "maker"}
_RESPONSES: Final = {
    "00": "ok",
    "01": "bad-id",
    "02": "bad-revision",
    "03": "conflict",
    "04": "no-data",
    "05": "error",
    "90": "maker",
}


def decode_dex(data: bytes) -> dict[str, Any]:
    """The frames in `data`, and under ``audits`` what each whole audit says (see `decode_evadts`).

    `at` counts bytes; findings inside an audit carry ``audit`` (from 0) and the line as `at`. Control characters among
    noise are no proof of DEX, nor is a block of noise: without a block of text most bytes must be control characters.
    """
    report = Report("dex")
    decoder, audit = Decoder(), _Audits()
    stray = _Stray(report, data)
    begin = 0
    for place, byte in enumerate(data):
        noise = decoder.noise
        if byte in _HEADS and place and data[place - 1] == _DLE:
            begin = place - 1
        if report.full(place):
            break
        for token in decoder.feed(bytes([byte])):
            report.frames.append(_token(report, data, begin, place, token))
            audit.take(token)
        if decoder.noise > noise:
            stray.add(place)
    stray.close()
    audit.end()
    begun = decoder.inside and _is_text(data[begin + 2 :].decode("latin-1"))
    if data and not begun and not any(map(_speaks, report.frames)) and 2 * _controls(report) <= len(data):
        nothing, first = Report("dex"), data[stray.first : stray.first + 8].hex(" ").upper()
        nothing.add("error", stray.first, "capture.no-frame", size=len(data), first=first)
        return nothing.document(len(data))
    if decoder.inside:
        report.add("error", begin, "cut-short")
    return with_audits(report.document(len(data)), audit.whole)


def _speaks(frame: dict[str, Any]) -> bool:
    """A block whose check sum fits, or whose body is text all the same."""
    body = str(frame.get("body", ""))
    return bool(body) and (frame["ok"] or _is_text(body))


def _is_text(body: str) -> bool:
    return bool(body) and 10 * sum(not (" " <= char <= "~" or char in "\r\n") for char in body) <= len(body)


def _controls(report: Report) -> int:
    return sum(len(frame["raw"]) // 2 for frame in report.frames if "body" not in frame)


class _Stray:
    """Bytes that belong to no frame: how many, the first, and a finding for each run of them."""

    def __init__(self, report: Report, data: bytes) -> None:
        self.count = 0
        self.first = 0
        self._report = report
        self._data = data
        self._start = self._end = 0

    def add(self, place: int) -> None:
        """The byte at `place` is one."""
        if not self.count:
            self.first = place
        if place != self._end:
            self.close()
            self._start = place
        self._end = place + 1
        self.count += 1

    def close(self) -> None:
        """No further byte joins the run."""
        if self._end > self._start:
            first = self._data[self._start : min(self._end, self._start + 8)].hex(" ").upper()
            self._report.add("warning", self._start, "capture.noise", size=self._end - self._start, first=first)
        self._start = self._end


def _token(report: Report, data: bytes, begin: int, place: int, token: Control | Block) -> dict[str, Any]:
    if isinstance(token, Control):
        size = 2 if place and data[place - 1] == _DLE else 1
        at = place - size + 1
        return {"at": at, "raw": data[at : place + 1].hex().upper(), "ok": True, "frame": token.value}
    if not token.fits:
        computed = crc16(bytes([*token.body, _ETX if token.last else _ETB]))
        report.check_sum(place - 1, int.from_bytes(data[place - 1 : place + 1], "little"), computed, 4)
    told = {
        "at": begin,
        "raw": data[begin : place + 1].hex().upper(),
        "ok": token.fits,
        "frame": token.head,
        "last": token.last,
        "body": token.body.decode("ascii", "replace"),
    }
    return told | (_header(token.body) if token.head == "SOH" else {})


def _header(body: bytes) -> dict[str, Any]:
    text = body.decode("ascii", "replace")
    if len(body) == _REQUEST_BYTES:
        operation = text[10]
        return {"id": text[:10], "operation": operation, "asks": _OPERATIONS.get(operation), "revision": text[11:]}
    if len(body) == _ANSWER_BYTES:
        response, identity = text[:2], text[2:12]
        if response not in _RESPONSES and text[10:12] in _RESPONSES:
            response, identity = text[10:12], text[:10]
        return {"response": response, "answers": _RESPONSES.get(response), "id": identity, "revision": text[12:]}
    return {}


class _Audits:
    """Puts data blocks together; `whole` are the audits that ended."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self._parts: list[bytes] = []
        self._waiting: Block | None = None
        self._before: bytes | None = None

    def take(self, token: Control | Block) -> None:
        """Go on with `token`."""
        if isinstance(token, Block):
            self._settle(taken=self._waiting is not None and self._waiting.body != token.body)
            self._waiting = token if token.head == "STX" and token.fits else None
        elif token in ACK_TOKENS:
            self._settle(taken=True)
        elif token is Control.NAK:
            self._settle(taken=False)
        elif token is Control.EOT:
            self._settle(taken=True)
            self._parts.clear()
            self._before = None

    def end(self) -> None:
        """The capture ends: perhaps before the last answer."""
        self._settle(taken=True)

    def _settle(self, *, taken: bool) -> None:
        block, self._waiting = self._waiting, None
        if block is None or not taken or block.body == self._before:
            return
        self._before = block.body
        self._parts.append(block.body)
        if block.last:
            self.whole.append(b"".join(self._parts))
            self._parts.clear()
            self._before = None


def with_audits(document: dict[str, Any], audits: list[bytes]) -> dict[str, Any]:
    """`document` of a line, with what the audits that went over it say and what is wrong in them."""
    read = [decode_evadts(audit) for audit in audits]
    inside = [{"audit": number} | finding for number, told in enumerate(read) for finding in told["findings"]]
    ok = document["ok"] and all(told["ok"] for told in read)
    return document | {"ok": ok, "findings": [*document["findings"], *inside], "audits": read}
