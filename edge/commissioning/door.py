"""Who may use the commissioning page: whoever reads the code off the terminal that started it. Any thread.

The code works once, for one browser; the page ends with the command that started it. After `TRIES` wrong codes nobody
gets in any more. Thirty letters and digits that nobody confuses, eight of them: 39 bits against ten guesses.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import Final

_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_SIZE: Final = 8
TRIES: Final = 10
COOKIE: Final = "liandong_commissioning"


class Door:
    """One code, and the session that it opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        plain = "".join(secrets.choice(_SIGNS) for _ in range(_SIZE))
        self.code: Final = f"{plain[:4]}-{plain[4:]}"
        self._wrong = 0
        self._session: str | None = None

    @property
    def shut(self) -> bool:
        """Whether nobody gets in any more: the code was used, or guessed at too often."""
        with self._lock:
            return self._session is not None or self._wrong >= TRIES

    def enter(self, typed: str) -> str | None:
        """The token of the session for the right code, once; None otherwise."""
        with self._lock:
            if self._session is not None or self._wrong >= TRIES:
                return None
            plain = "".join(sign for sign in typed.upper() if sign.isalnum())
            if not hmac.compare_digest(plain.encode(), self.code.replace("-", "").encode()):
                self._wrong += 1
                return None
            self._session = secrets.token_urlsafe(24)
            return self._session

    def knows(self, token: str) -> bool:
        """Whether `token` is the session's."""
        with self._lock:
            return self._session is not None and hmac.compare_digest(token.encode(), self._session.encode())
