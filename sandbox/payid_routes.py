"""`/api/v1/merchants…` and `/api/v1/payment_requests…`: one-time PayIDs (contract 1.4 and 4.2)."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import views_v1
from sandbox.access import caller_of, provider_of
from sandbox.creation import create_payid
from sandbox.dates import parse_bound
from sandbox.orders import text_of
from sandbox.pages import page_of, written
from sandbox.payid_checks import check_payid
from sandbox.payin_routes import amount_minor_of
from sandbox.refunds import checked_reason, request_refund
from sandbox.replies import RefusalError, answer, json_object, unprocessable

LONGEST_PERIOD = timedelta(days=366)


async def create(request: Request) -> Response:
    """Create a one-time PayID."""
    app_id, provider = caller_of(request), provider_of(request)
    order = check_payid(await json_object(request), now=provider.clock.now())
    return answer(views_v1.payid_object(create_payid(provider, order, app_id=app_id), provider.settings))


async def status(request: Request) -> Response:
    """Read a PayID by `id` or by `payid`, where both are given by `id`; 404 for an unknown one."""
    app_id, provider = caller_of(request), provider_of(request)
    key = request.query_params.get("id") or request.query_params.get("payid")
    if not key:
        raise RefusalError(400, None)
    payment = provider.lookup(app_id, key, flow="payid")
    if payment is None:
        raise RefusalError(404, {"message": "Payment request not found."})
    return answer(views_v1.payid_object(payment, provider.settings))


async def refund(request: Request) -> Response:
    """Ask for a refund of a received PayID."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    number = body.get("payment_request_id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise unprocessable(payment_request_id="can't be blank" if number is None else "is invalid")
    payment = provider.find(app_id, str(number), flow="payid")
    reason = checked_reason(text_of(body, "reason"))
    if not payment.can_be_refunded:
        raise unprocessable(message="Payment is not refundable.")
    request_refund(provider, payment, amount_minor=amount_minor_of(body, "refund_amount", payment), reason=reason)
    return answer(views_v1.payid_object(payment, provider.settings))


async def bank_payments(request: Request) -> Response:
    """List bank payment requests of at most a year; whether PayIDs are among them is a setting."""
    app_id, provider = caller_of(request), provider_of(request)
    _refuse_long_period(request.query_params)
    rows = provider.of_app(app_id, flow="payid") if provider.settings.bank_list_knows_payids else []
    page = page_of(rows, request.query_params, first="from_date", last="to_date")
    return answer(written(page, partial(views_v1.payid_object, _=provider.settings), total_page=page.pages))


def _refuse_long_period(query: Mapping[str, str]) -> None:
    start, end = (parse_bound(query.get(key, ""), end=key == "to_date") for key in ("from_date", "to_date"))
    if start is not None and end is not None and end - start > LONGEST_PERIOD:
        raise unprocessable(to_date="must be within one year of from_date")


ROUTES = [
    Route("/api/v1/merchants/create_payment", create, methods=["POST"]),
    Route("/api/v1/payment_requests/status", status),
    Route("/api/v1/payment_requests/refund", refund, methods=["POST"]),
    Route("/api/v1/payment_requests/bank_payments", bank_payments),
]
