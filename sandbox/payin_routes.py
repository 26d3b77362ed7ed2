"""`/api/v2/payins…` as the pages and contract 4.2 have them."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import deeds, receipts, views
from sandbox.access import caller_of, provider_of
from sandbox.contacts import refuse_stranger
from sandbox.creation import create_payin
from sandbox.methods import METHODS
from sandbox.money import decimal_of, minor_of
from sandbox.orders import text_of
from sandbox.pages import page_of, written
from sandbox.payin_checks import check_payin
from sandbox.payments import Payment
from sandbox.refunds import checked_reason, request_refund
from sandbox.replies import Json, RefusalError, answer, json_object, unprocessable
from sandbox.settings import SandboxSettings


async def create(request: Request) -> Response:
    """Create a payin request."""
    app_id, provider = caller_of(request), provider_of(request)
    order = check_payin(await json_object(request), now=provider.clock.now())
    refuse_stranger(provider, order, app_id=app_id)
    return answer(views.payin_created(create_payin(provider, order, app_id=app_id), provider.settings), 201)


async def detail(request: Request) -> Response:
    """Read a payin; cards and gateway payments only if the sandbox is set so."""
    app_id, provider = caller_of(request), provider_of(request)
    uuid = request.query_params.get("uuid", "")
    if not uuid:
        raise RefusalError(400, None)
    found = (provider.lookup(app_id, uuid, flow=flow) for flow in _readable(provider.settings))
    payment = next(filter(None, found), None) or provider.find(app_id, uuid, flow="payin")
    return answer(views.payin_detail(payment, provider.settings))


async def everything(request: Request) -> Response:
    """List payins by date."""
    app_id, provider = caller_of(request), provider_of(request)
    payins = provider.of_app(app_id, flow="payin")
    page = page_of(payins, request.query_params, first="from_date", last="to_date")
    return answer(written(page, views.payin_row, total_page=page.pages))


async def simulate(request: Request) -> Response:
    """Complete or fail a pending payin, as the provider's own sandbox can."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    payment = provider.find(app_id, text_of(body, "uuid"), flow="payin")
    if payment.status != "pending":
        raise unprocessable(message="Only a pending payin can be simulated.")
    if text_of(body, "status") == "failed":
        deeds.decline(provider, payment)
    elif text_of(body, "status") == "completed":
        payment.stage = "normal_stage"
        receipts.pay(provider, payment, amount_minor=amount_minor_of(body, "amount", payment))
    else:
        raise unprocessable(status="is invalid")
    return answer({"status": "ok"})


async def confirm_otp(request: Request) -> Response:
    """Hand over the customer's one-time code."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    payment = provider.find(app_id, text_of(body, "uuid"), flow="payin")
    deeds.confirm_otp(provider, payment, text_of(body, "code"))
    return answer({"status": "Ok"})


async def refund(request: Request) -> Response:
    """Ask for a refund; the reply has the provider's two misspelt keys."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    payment = provider.find(app_id, text_of(body, "uuid"), flow="payin")
    reason = checked_reason(text_of(body, "description"))
    if not payment.can_be_refunded:
        raise unprocessable(message="Payment is not refundable.")
    request_refund(provider, payment, amount_minor=amount_minor_of(body, "amount", payment), reason=reason)
    reply = views.payin_created(payment, provider.settings)
    reply["expried_at"], reply["payin_notification"] = (
        reply.pop("expired_at"),
        reply.pop("webhook_notification"),
    )
    return answer(reply)


async def method_params(request: Request) -> Response:
    """Describe what a payin method asks for."""
    caller_of(request)
    method = METHODS.get(request.query_params.get("payin_method_name", ""))
    if method is None:
        raise unprocessable(payin_method_name="is invalid")
    return answer({"record": views.method_record(method)})


def _readable(settings: SandboxSettings) -> list[str]:
    switches = {"payin": True, "card": settings.detail_knows_cards, "gateway_link": settings.detail_knows_links}
    return [flow for flow, on in switches.items() if on]


def amount_minor_of(body: Json, key: str, payment: Payment) -> int | None:
    """Read an optional amount in major units; refuses what is not a positive amount of the currency."""
    if body.get(key) is None:
        return None
    amount = decimal_of(body[key])
    minor = None if amount is None or amount <= 0 else minor_of(amount, payment.currency)
    if minor is None:
        raise unprocessable(**{key: "is invalid"})
    return minor


ROUTES = [
    Route("/api/v2/payins", create, methods=["POST"]),
    Route("/api/v2/payins/detail", detail),
    Route("/api/v2/payins/all", everything),
    Route("/api/v2/payins/simulate", simulate, methods=["POST"]),
    Route("/api/v2/payins/confirm_otp", confirm_otp, methods=["POST"]),
    Route("/api/v2/payins/refund", refund, methods=["POST"]),
    Route("/api/v2/payins/payin_method/params", method_params),
]
