"""Payloads inside of payloads: the compression that the Eclipse Tahu clients and the npm client offer.

Not Sparkplug 3.0.0, but in the field: the outer payload has the `uuid` below; its `body` is the inner one, deflated or
gzipped.
"""

from __future__ import annotations

import zlib
from typing import Final

from protocols.errors import ProtocolError
from protocols.sparkplug.payload import RawPayload, decode_raw

COMPRESSED: Final = "SPBV1.0_COMPRESSED"
LIMIT: Final = 4 * 1024 * 1024
"""Bytes that an inner payload has at most: a small body can be written that grows to gigabytes."""
_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS


def unwrapped(payload: RawPayload) -> RawPayload:
    """The payload inside, or `payload` itself when it has none.

    Raises ProtocolError for a body that is no compressed payload, or a larger one than `LIMIT`.
    """
    if payload.uuid != COMPRESSED:
        return payload
    inflating = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        inner = inflating.decompress(payload.body, LIMIT)
    except zlib.error as error:
        raise ProtocolError("protocols.sparkplug.undecodable", size=len(payload.body), what=str(error)) from error
    if not inflating.eof:
        what = f"deflated, cut short or above {LIMIT} B"
        raise ProtocolError("protocols.sparkplug.undecodable", size=len(payload.body), what=what)
    return decode_raw(inner)
