"""`/api/v2/cards…` as the pages and contract 4.2 have them."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import deeds, views
from sandbox.access import caller_of, provider_of
from sandbox.card_checks import check_card
from sandbox.creation import create_card
from sandbox.money import EXPONENTS, decimal_of, minor_of
from sandbox.orders import Notification, text_of
from sandbox.pages import page_of, written
from sandbox.payments import Payment
from sandbox.refunds import checked_reason, request_refund
from sandbox.replies import Json, answer, json_object, unprocessable
from sandbox.settings import SandboxSettings

AMBIGUOUS_TOKEN = "tok_waiting3ds"  # noqa: S105  (the beginning of a test token, no password)


async def create(request: Request) -> Response:
    """Create a card payment from a token."""
    app_id, provider = caller_of(request), provider_of(request)
    settings = provider.settings
    default = Notification(
        endpoint_url=settings.default_webhook_url, authorization_header=settings.default_webhook_authorization
    )
    order = check_card(await json_object(request), default=default)
    reply = views.card_object(create_card(provider, order, app_id=app_id), settings)
    if order.token_id.startswith(AMBIGUOUS_TOKEN):
        reply["status"] = "waiting"
    return answer(reply)


async def capture(request: Request) -> Response:
    """Capture an authorised payment."""
    app_id, provider = caller_of(request), provider_of(request)
    payment = provider.find(app_id, text_of(await json_object(request), "uuid"), flow="card")
    deeds.capture(provider, payment)
    return answer(views.card_object(payment, provider.settings))


async def read(request: Request) -> Response:
    """Read a card payment."""
    app_id, provider = caller_of(request), provider_of(request)
    payment = provider.find(app_id, request.path_params["uuid"], flow="card")
    return answer(views.card_object(payment, provider.settings))


async def everything(request: Request) -> Response:
    """List card payments by date and status."""
    app_id, provider = caller_of(request), provider_of(request)
    status = request.query_params.get("status", "")
    cards = [card for card in provider.of_app(app_id, flow="card") if status in {"", card.status}]
    page = page_of(cards, request.query_params, first="start_date", last="end_date")
    return answer(written(page, partial(views.card_object, settings=provider.settings), total=page.count))


async def refund(request: Request) -> Response:
    """Ask for a refund of a captured payment; the reply may still show its status from before (contract T-40)."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    payment = provider.find(app_id, text_of(body, "uuid"), flow="card")
    reason = checked_reason(text_of(body, "reason"))
    if not payment.can_be_refunded:
        raise unprocessable(message="Payment is not refundable.")
    amount_minor, earlier = _amount_minor(body, payment, provider.settings), payment.status
    request_refund(provider, payment, amount_minor=amount_minor, reason=reason)
    shown = views.refund_information(payment, provider.settings) or {}
    inner = views.card_object(payment, provider.settings)
    if provider.settings.card_refund_status == "earlier":
        inner["status"] = earlier
    return answer({**shown, "payin_request": inner})


def _amount_minor(body: Json, payment: Payment, settings: SandboxSettings) -> int | None:
    raw = body.get("refund_amount")
    if raw is None:
        return None
    given = decimal_of(raw)
    if given is not None and settings.card_reply_unit == "minor":
        given = given.scaleb(-EXPONENTS[payment.currency])
    minor = None if given is None else minor_of(given, payment.currency)
    if minor is None:
        raise unprocessable(refund_amount="is invalid")
    return minor


ROUTES = [
    Route("/api/v2/cards/create_payment", create, methods=["POST"]),
    Route("/api/v2/cards/capture_payment", capture, methods=["POST"]),
    Route("/api/v2/cards/refund_payment", refund, methods=["POST"]),
    Route("/api/v2/cards/payments/{uuid}", read),
    Route("/api/v2/cards/payments", everything),
]
