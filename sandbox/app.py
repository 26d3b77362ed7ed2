"""The ASGI application."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sandbox import card_routes, checkout, contacts, control, link_routes, overview, payid_routes, payin_routes
from sandbox.clock import Clock
from sandbox.gate import Gate
from sandbox.provider import Provider
from sandbox.replies import RefusalError, refused
from sandbox.settings import SandboxSettings

AREAS = (payin_routes, card_routes, payid_routes, link_routes, contacts, control, overview, checkout)


def create_app(settings: SandboxSettings, *, clock: Clock | None = None) -> Starlette:
    """Build the sandbox; time passes only as long as its lifespan runs."""
    provider = Provider(settings=settings, clock=clock or Clock(speed=settings.speed))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with provider.running():
            yield

    app = Starlette(
        routes=[route for area in AREAS for route in area.ROUTES],
        middleware=[Middleware(Gate, provider=provider)],
        exception_handlers={RefusalError: refused},
        lifespan=lifespan,
    )
    app.state.provider = provider
    return app
