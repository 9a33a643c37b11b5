"""Until when a certificate in a file is valid, without a library for X.509.

Of the DER (ITU-T X.690) of a certificate only the way to its validity is read (RFC 5280, 4.1): Certificate →
tbsCertificate → [0] version (may be absent), serialNumber, signature, issuer, validity → notBefore, notAfter.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_LONG: Final = 0x80
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_CENTURY_TURNS: Final = 50


def valid_until(path: Path) -> datetime | None:
    """When the first certificate in the PEM file `path` ends (UTC); None when there is none that can be read.

    Raises OSError when the file cannot be read.
    """
    found = _PEM.search(path.read_text("ascii", errors="replace"))
    if found is None:
        return None
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(found.group()))
    except (ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    certificate, _ = _content(der, 0)
    body, _ = _content(certificate, 0)
    at = 0
    if body[0] == _VERSION:
        _, at = _content(body, at)
    for _ in ("serialNumber", "signature", "issuer"):
        _, at = _content(body, at)
    validity, _ = _content(body, at)
    _, second = _content(validity, 0)
    text = _content(validity, second)[0].decode("ascii")
    if validity[second] == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_TURNS else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _content(data: bytes, at: int) -> tuple[bytes, int]:
    """The content of the element at `at`, and where the next one begins. Raises IndexError, ValueError."""
    size, at = data[at + 1], at + 2
    if size & _LONG:
        digits = size & ~_LONG
        size, at = int.from_bytes(data[at : at + digits]), at + digits
    if at + size > len(data):
        raise ValueError("longer than the data")
    return data[at : at + size], at + size
