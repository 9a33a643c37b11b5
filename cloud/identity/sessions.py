"""Sessions and one-time sign-in links. Tokens are random and only with the person; the database has their SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cloud.identity import passwords
from cloud.identity.people import Role, Who
from cloud.storage.database import Database, Transaction
from cloud.storage.queries import load
from protocols.errors import RefusedError

SESSION_LASTS: Final = timedelta(days=14)
LINK_LASTS: Final = timedelta(hours=24)


def make_link(tx: Transaction, login: str, now: datetime) -> str:
    """A token that signs this person in once, within 24 hours. Raises RefusedError (`cloud.person.unknown`)."""
    person = tx.one(load("people")["by_login"], {"login": login})
    if person is None:
        raise RefusedError("cloud.person.unknown", login=login)
    token = secrets.token_urlsafe(32)
    row = {"hash": digest(token), "person": person["id"], "expires_at": now + LINK_LASTS}
    tx.execute(load("people")["insert_link"], row)
    return token


def use_link(tx: Transaction, token: str, now: datetime) -> str:
    """A session token for a link's token. Raises RefusedError (`cloud.session.link-used`): used, too old or unknown."""
    row = tx.one(load("people")["use_link"], {"hash": digest(token), "now": now})
    if row is None:
        raise RefusedError("cloud.session.link-used")
    return begin(tx, row["person_id"], now)


def known_by(database: Database, login: str, password: str) -> UUID:
    """Who has this name and password. Raises RefusedError (`cloud.session.wrong`), equally slow for both.

    No connection is held while the password is checked: a flood of tries must not take them all.
    """
    with database.transaction() as tx:
        person = tx.one(load("people")["by_login"], {"login": login})
    if not passwords.matches(person["password_hash"] if person else None, password) or person is None:
        raise RefusedError("cloud.session.wrong")
    found: UUID = person["id"]
    return found


def begin(tx: Transaction, person_id: UUID, now: datetime) -> str:
    """A new session of a person; its token."""
    token = secrets.token_urlsafe(32)
    row = {"hash": digest(token), "person": person_id, "now": now, "expires_at": now + SESSION_LASTS}
    tx.execute(load("people")["insert_session"], row)
    return token


def find(tx: Transaction, token: str, now: datetime) -> Who:
    """Who holds a session token. Raises RefusedError (`cloud.session.none`)."""
    found = tx.one(load("people")["by_session"], {"hash": digest(token), "now": now})
    if found is None:
        raise RefusedError("cloud.session.none")
    roles = tx.fetch(load("people")["roles"], {"person": found["id"]})
    return Who(
        id=found["id"],
        login=found["login"],
        name=found["name"],
        language=found["language"],
        roles=tuple(Role(**row) for row in roles),
        token_hash=digest(token),
    )


def set_password(tx: Transaction, who: Who, password_hash: str) -> None:
    """A new password (`passwords.hashed`); the person's other sessions end."""
    tx.execute(load("people")["set_password"], {"person": who.id, "password": password_hash})
    tx.execute(load("people")["delete_other_sessions"], {"person": who.id, "hash": who.token_hash})


def digest(token: str) -> bytes:
    """What the database knows of a token. A plain hash suffices: tokens are 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
