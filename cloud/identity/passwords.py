"""Passwords: argon2id with the library's defaults (RFC 9106, second recommended option)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from protocols.errors import RefusedError, UnavailableError

SHORTEST: Final = 10
LONGEST: Final = 200

_hasher: Final = PasswordHasher()
_at_once: Final = BoundedSemaphore(2)
"""Each check takes 64 MB and a core for 50 ms: a flood of wrong passwords must not take the machine."""
_nobody: Final = _hasher.hash("nobody has this password")


def hashed(password: str) -> str:
    """The hash to store. Raises RefusedError (`cloud.password.short`, `cloud.password.long`)."""
    if len(password) < SHORTEST:
        raise RefusedError("cloud.password.short", least=SHORTEST)
    if len(password) > LONGEST:
        raise RefusedError("cloud.password.long", most=LONGEST)
    with _turn():
        return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes equally long when nothing is stored."""
    if len(password) > LONGEST:
        return False
    with _turn():
        try:
            _hasher.verify(stored or _nobody, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


@contextmanager
def _turn() -> Iterator[None]:
    """Raises UnavailableError (`cloud.session.busy`) when none of the few turns comes within five seconds."""
    if not _at_once.acquire(timeout=5):
        raise UnavailableError("cloud.session.busy")
    try:
        yield
    finally:
        _at_once.release()
