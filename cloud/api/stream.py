"""`GET /api/v1/stream`: server-sent events with resume."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from cloud.api.hub import BATCH, Client, Live, replay, sse
from cloud.api.services import COOKIE, Given, Services, SignedIn, now
from cloud.identity import sessions
from cloud.storage.queries import load
from protocols.errors import LiandongError, UnavailableError

router = APIRouter(prefix="/api/v1", tags=["stream"])

COMMENT_S: Final = 10.0
CHECKS: Final = 6
"""After this many quiet or busy spells of `COMMENT_S` the session is looked at again."""
RETRY_MS: Final = 1000
_NUMBER: Final = re.compile("[0-9]{1,18}")


@router.get("/stream")
async def stream(
    who: SignedIn, request: Request, given: Given, after: int | None = None, last_event_id: str | None = Header(None)
) -> StreamingResponse:
    """What changes, as it is committed; `Last-Event-ID` or `?after=N` misses nothing."""
    client = Client(person=who.id, scope=who.console)
    if not given.hub.room(who.id):
        raise UnavailableError("cloud.stream.full")
    known = int(last_event_id) if last_event_id and _NUMBER.fullmatch(last_event_id) else after
    events = _events(given, client, request.cookies.get(COOKIE, ""), known)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(given: Services, client: Client, token: str, known: int | None) -> AsyncIterator[bytes]:
    if not given.hub.join(client):
        return
    try:
        newest, oldest = await anyio.to_thread.run_sync(_bounds, given)
        yield f"retry: {RETRY_MS}\n\n".encode() + sse("hello", {"newest": newest})
        if known is not None and (known > newest or known < oldest - 1):
            known = None
            yield sse("reset", {}, newest)
        last = newest if known is None else known
        while last < newest:
            batch = await anyio.to_thread.run_sync(_replay, given, client, last)
            if not batch:
                break
            for event in batch:
                if client.may_see(event):
                    yield event.text
            last = batch[-1].id
        async for text in _live(given, client, token, last):
            yield text
    finally:
        given.hub.leave(client)


async def _live(given: Services, client: Client, token: str, last: int) -> AsyncIterator[bytes]:
    checked = asyncio.get_running_loop().time()
    while not client.cut:
        try:
            event = await asyncio.wait_for(client.queue.get(), COMMENT_S)
        except TimeoutError:
            yield b": here\n\n"
        else:
            texts, ends = _waiting(client, event, last)
            if texts:
                yield b"".join(texts)
            if ends:
                return
        if asyncio.get_running_loop().time() - checked > CHECKS * COMMENT_S:
            checked = asyncio.get_running_loop().time()
            if not await anyio.to_thread.run_sync(_still, given, client, token):
                return


def _waiting(client: Client, first: Live | None, last: int) -> tuple[list[bytes], bool]:
    """What waits, beginning with `first`, as one piece; and whether the stream ends after it."""
    texts: list[bytes] = []
    event: Live | None = first
    while event is not None:
        if event.id > last:
            texts.append(event.text)
        if client.queue.empty() or len(texts) >= BATCH:
            return texts, False
        event = client.queue.get_nowait()
    return texts, True


def _bounds(given: Services) -> tuple[int, int]:
    with given.database.transaction() as tx:
        row = tx.one(load("stream")["bounds"])
    assert row is not None
    # Without any event kept, only the newest number can be resumed from.
    return row["newest"], row["oldest"] or row["newest"] + 1


def _replay(given: Services, client: Client, after: int) -> list[Live]:
    with given.database.transaction() as tx:
        return replay(tx, client, after)


def _still(given: Services, client: Client, token: str) -> bool:
    """Whether the session still is; with the roles of now."""
    try:
        with given.database.transaction() as tx:
            client.scope = sessions.find(tx, token, now()).console
    except LiandongError:
        return False
    return True
