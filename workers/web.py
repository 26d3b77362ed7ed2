"""The web process: takes webhooks, shows payments. It stores and rings the bell; it never calls the provider."""

from __future__ import annotations

import asyncio
import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.adapters.redis_connection import connect
from orchestrator.advance import notify
from orchestrator.codec import decode
from orchestrator.errors import StoreCorruptError, StoreUnavailableError
from orchestrator.events import view_data
from orchestrator.identity import PaymentKey
from orchestrator.observation import WebhookSeen
from orchestrator.payment import public_view
from orchestrator.ports import NotifyOutcome
from orchestrator.webhook_auth import PATH
from workers.bootstrap import SettingsError, build_engine, build_settings, configure_logging, new_owner, open_merchants
from workers.health import health_routes
from workers.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from orchestrator.engine import Engine

WEBHOOK_MAX_BYTES = 64 * 1024
BODY_WITHIN_S = 10.0
ATTEMPT_DIGITS_MAX = 6
_NOT_KEPT = {StoreUnavailableError: "store_away", StoreCorruptError: "unreadable"}


def app() -> Starlette:
    """The ASGI application; a missing or bad setting stops the start with its name."""
    try:
        settings = build_settings()
    except SettingsError as error:
        raise SystemExit(str(error)) from None
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    telemetry = Telemetry()
    merchants = open_merchants(settings, journal=telemetry)
    engine = build_engine(settings, journal=telemetry, owner=new_owner(), merchants=merchants)
    client = connect(settings.redis_url)
    tokens = tuple(token.get_secret_value() for token in settings.read_tokens)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(merchants.watch())
        yield
        watching.cancel()
        await client.aclose()

    async def webhook(request: Request) -> Response:
        return await take_webhook(request, engine=engine)

    async def payment(request: Request) -> Response:
        return await show_payment(request, engine=engine, tokens=tokens)

    routes = [
        Route(f"{PATH}/{{merchant}}/{{intent_id}}/{{attempt}}", webhook, methods=["POST"]),
        Route("/v1/payments/{merchant}/{intent_id}", payment, methods=["GET"]),
        *health_routes(client=client, telemetry=telemetry, missing=list),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def take_webhook(request: Request, *, engine: Engine) -> Response:
    """Size, Authorization, JSON object, store: exactly 200 once it is durable (interface 3, T-14, T-46)."""
    body = await _bounded_body(request)
    if not isinstance(body, bytes):
        return _webhook_answer(engine, *body)
    key = PaymentKey(merchant=request.path_params["merchant"], intent_id=request.path_params["intent_id"])
    attempt = _attempt(request.path_params["attempt"])
    if not engine.webhooks.verifies(key, attempt, request.headers.get("authorization", "")):
        return _webhook_answer(engine, 401, "unauthorised")
    text = _json_object(body)
    if text is None:
        return _webhook_answer(engine, 400, "malformed")
    seen = WebhookSeen(attempt=attempt, at_ms=engine.clock.now_ms(), body=text)
    try:
        outcome = await notify(key, seen, engine=engine)
    except (StoreUnavailableError, StoreCorruptError) as error:
        return _webhook_answer(engine, 503, _NOT_KEPT[type(error)])
    if outcome is NotifyOutcome.ORPHANED:
        engine.journal.warning("webhook.orphaned", payment=str(key))
    if outcome is NotifyOutcome.FULL:
        engine.journal.warning("webhook.too_many", payment=str(key))
        return _webhook_answer(engine, 503, "too_many")
    return _webhook_answer(engine, 200, str(outcome))


async def show_payment(request: Request, *, engine: Engine, tokens: tuple[str, ...]) -> Response:
    """The public view for whoever has a read token."""
    if not _may_read(request.headers.get("authorization", ""), tokens):
        return _problem(401, "unauthorised", "Give a read token: Authorization: Bearer …")
    key = PaymentKey(merchant=request.path_params["merchant"], intent_id=request.path_params["intent_id"])
    try:
        record = await engine.store.load(key)
    except StoreUnavailableError:
        return _problem(503, "store_away", "Redis does not answer; try again.")
    if record is None:
        return _problem(404, "unknown_intent", f"No payment {key} is stored.")
    payment = decode(record.body)
    return JSONResponse(view_data(payment, public_view(payment), sequence=record.sequence))


async def _bounded_body(request: Request) -> bytes | tuple[int, str]:
    """The whole body, or the answer where it is larger or comes slower than a webhook may; never reads on past that."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.stream():
                size += len(part)
                if size > WEBHOOK_MAX_BYTES:
                    return 413, "too_large"
                parts.append(part)
    except TimeoutError:
        return 408, "too_slow"
    return b"".join(parts)


def _attempt(text: str) -> int:
    """The attempt in the path; 0, which none has, where it is no number."""
    return int(text) if len(text) <= ATTEMPT_DIGITS_MAX and text.isascii() and text.isdigit() else 0


def _json_object(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(parsed, dict) else None


def _may_read(header: str, tokens: tuple[str, ...]) -> bool:
    given = header.removeprefix("Bearer ").encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, token.encode()) for token in tokens]
    return any(matches)


def _webhook_answer(engine: Engine, status: int, outcome: str) -> Response:
    engine.journal.info("webhook.taken", outcome=outcome)
    return JSONResponse({"outcome": outcome}, status_code=status)


def _problem(status: int, code: str, detail: str) -> Response:
    """RFC 9457."""
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
