"""Text from outside that goes to the database."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from protocols.errors import ConfigError
from protocols.validation import unfit


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise unfit(ConfigError("cloud.invalid.character"))
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""JSON can carry what UTF-8 cannot (RFC 8259, section 8.2) and PostgreSQL does not keep: refused at the door."""
