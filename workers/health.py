"""`/healthz`, `/readyz` and `/metrics`: the same three routes for workers and web (interface 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.adapters.redis_durability import inspect_durability
from orchestrator.errors import StoreUnavailableError
from workers.telemetry import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis.asyncio import Redis
    from starlette.requests import Request

    from workers.telemetry import Telemetry


def health_routes(
    *,
    client: Redis,
    telemetry: Telemetry,
    missing: Callable[[], list[str]],
    details: Callable[[], Mapping[str, object]] = dict,
) -> list[Route]:
    """The routes; `missing` names what else the process lacks at the moment, as it last saw it.

    `details` are shown beside it and make nobody unready.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        lacks, row = missing(), None
        try:
            durability = await inspect_durability(client)
            row = durability.row
            lacks = [*lacks, *([durability.refused] if durability.refused else [])]
        except StoreUnavailableError:
            lacks = ["redis", *lacks]
        body = {"status": "not ready" if lacks else "ready", "missing": lacks, "durability": row, **details()}
        return JSONResponse(body, status_code=503 if lacks else 200)

    async def metrics(_: Request) -> Response:
        return Response(telemetry.exposition(), headers={"content-type": CONTENT_TYPE})

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
