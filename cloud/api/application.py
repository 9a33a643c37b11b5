"""The web application from its parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from cloud.api import (
    cardholders,
    commands,
    configurations,
    console,
    delivery,
    devices,
    errors,
    export,
    figures,
    history,
    installation,
    pages,
    phone,
    session,
    sets,
    simulation,
    stream,
    system,
)
from cloud.api.guard import Guard
from cloud.api.services import Services
from cloud.api.shared import Shared


def application(services: Services) -> FastAPI:
    """REST, stream and pages over `services`, which the caller opens and closes."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.hub.attach(asyncio.get_running_loop())
        yield
        services.hub.close()

    app = FastAPI(
        title="Liandong",
        version=services.version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.standing = Shared(lambda: system.standing(services))
    errors.install(app)
    for part in (
        session,
        console,
        phone,
        devices,
        history,
        figures,
        export,
        delivery,
        commands,
        configurations,
        cardholders,
        sets,
        installation,
        simulation,
        stream,
        system,
        pages,
    ):
        app.include_router(part.router)
    pages.mount(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Guard)
    return app
