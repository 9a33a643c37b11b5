"""Errors of our own inside pydantic's: a validator that refuses a value names the sentence that says why."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from protocols.errors import LiandongError


def unfit(error: LiandongError) -> PydanticCustomError:
    """`error` as a validator raises it; its code becomes the type, its parameters the context of the error detail."""
    # The English sentence is a value and no template: it may hold braces.
    return PydanticCustomError(error.code, "{why}", {"why": str(error), **error.texts()})
