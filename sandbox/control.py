"""`/_sandbox/…`: the tool of tests and demos; without authentication, so for the loopback only."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import deeds, refunds
from sandbox.access import provider_of
from sandbox.dates import with_z
from sandbox.faults import Fault, UnknownFaultError
from sandbox.ledger import matching
from sandbox.money import decimal_of, major_of, minor_of
from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import Json, RefusalError, answer, json_object
from sandbox.settings import SandboxSettingsError, read_setting

SECRETS = frozenset({"credentials", "default_webhook_authorization"})


async def health(request: Request) -> Response:
    """Tell that the sandbox is up, and its figures."""
    provider = provider_of(request)
    return answer(
        {
            "status": "ok",
            "payments": len(provider.payments),
            "requests": len(provider.ledger.requests),
            "elapsed_s": round(provider.clock.elapsed_s(), 3),
        }
    )


async def ledger(request: Request) -> Response:
    """Return what was really done; any field may be given as a filter."""
    return answer({"entries": matching(provider_of(request).ledger.entries, dict(request.query_params))})


async def requests(request: Request) -> Response:
    """Return what was asked and answered; any field may be given as a filter."""
    return answer({"requests": matching(provider_of(request).ledger.requests, dict(request.query_params))})


async def payments(request: Request) -> Response:
    """Return all payments; any field may be given as a filter."""
    shown = [_shown(payment) for payment in provider_of(request).payments.values()]
    wanted = request.query_params.items()
    return answer(
        {"payments": [row for row in shown if all(str(row.get(key)) == value for key, value in wanted)]}
    )


async def act(request: Request) -> Response:
    """Play the customer, the bank or the provider's staff; 409 if the payment's status forbids it."""
    provider, params = provider_of(request), request.path_params
    payment, action = provider.payments.get(params["uuid"]), ACTIONS.get(params["action"])
    if payment is None or action is None:
        return answer({"error": f"no such payment or action; actions: {', '.join(ACTIONS)}"}, 404)
    try:
        action(provider, payment, await _optional_object(request))
    except IllegalMoveError as error:
        return answer({"error": str(error), "status": payment.status}, 409)
    return answer(_shown(payment))


async def change_settings(request: Request) -> Response:
    """Change settings at run time and return all but the secret ones."""
    provider = provider_of(request)
    try:
        changed = {name: read_setting(name, raw) for name, raw in (await _optional_object(request)).items()}
    except SandboxSettingsError as error:
        return answer({"error": str(error)}, 422)
    if changed:
        provider.change_settings(replace(provider.settings, **changed))  # type: ignore[arg-type]
    return answer({key: value for key, value in asdict(provider.settings).items() if key not in SECRETS})


async def add_fault(request: Request) -> Response:
    """Order a fault."""
    try:
        return answer(_fault_shown(provider_of(request).faults.add(await json_object(request))))
    except UnknownFaultError as error:
        return answer({"error": str(error)}, 422)


async def faults(request: Request) -> Response:
    """Return the faults that have not happened yet."""
    return answer({"faults": [_fault_shown(fault) for fault in provider_of(request).faults.waiting]})


async def clear_faults(request: Request) -> Response:
    """Forget the faults that have not happened yet."""
    provider_of(request).faults.clear()
    return answer({"faults": []})


async def release_webhooks(request: Request) -> Response:
    """Send the held webhooks, with `{"backwards": true}` the newest first."""
    backwards = (await _optional_object(request)).get("backwards") is True
    return answer({"released": provider_of(request).courier.release(backwards=backwards)})


async def advance_clock(request: Request) -> Response:
    """Push the clock on; on return everything that fell due is done."""
    provider = provider_of(request)
    seconds = decimal_of((await json_object(request)).get("advance_s"))
    if seconds is None or seconds < 0:
        return answer({"error": "advance_s must be a number of zero or more"}, 422)
    await provider.schedule.advance(float(seconds))
    return answer({"elapsed_s": round(provider.clock.elapsed_s(), 3)})


def _pay(provider: Provider, payment: Payment, body: Json) -> None:
    deeds.pay(provider, payment, amount_minor=_amount_minor(body, payment))


def _refund(provider: Provider, payment: Payment, body: Json) -> None:
    reason = str(body.get("reason", "by the sandbox"))
    refunds.request_refund(provider, payment, amount_minor=_amount_minor(body, payment), reason=reason)


def _plain(deed: Callable[[Provider, Payment], None]) -> Callable[[Provider, Payment, Json], None]:
    return lambda provider, payment, _: deed(provider, payment)


ACTIONS: Mapping[str, Callable[[Provider, Payment, Json], None]] = {
    "pay": _pay,
    "decline": _plain(deeds.decline),
    "abandon": _plain(deeds.abandon),
    "expire": _plain(deeds.expire),
    "settle": _plain(deeds.settle),
    "deliver_pay_code": _plain(deeds.deliver_pay_code),
    "dispute": _plain(deeds.dispute),
    "win_dispute": _plain(deeds.win_dispute),
    "lose_dispute": _plain(deeds.lose_dispute),
    "refund": _refund,
    "finish_refund": _plain(refunds.finish_refund),
    "reject_refund": _plain(refunds.reject_refund),
    "expire_refund": _plain(refunds.expire_refund),
}


def _amount_minor(body: Json, payment: Payment) -> int | None:
    """Read an optional `amount` in major units, whatever the flow."""
    amount = decimal_of(body.get("amount"))
    if body.get("amount") is None:
        return None
    minor = None if amount is None or amount <= 0 else minor_of(amount, payment.currency)
    if minor is None:
        raise RefusalError(422, {"amount": "is invalid"})
    return minor


async def _optional_object(request: Request) -> Json:
    return await json_object(request) if await request.body() else {}


def _shown(payment: Payment) -> Json:
    return {
        "uuid": payment.uuid,
        "external_id": payment.external_id,
        "app_id": payment.app_id,
        "flow": payment.flow,
        "method": payment.method,
        "status": payment.status,
        "stage": payment.stage,
        "currency": payment.currency,
        "total": str(major_of(payment.total_minor, payment.currency)),
        "paid": str(major_of(payment.paid_minor, payment.currency)),
        "refunded": str(major_of(payment.refunded_minor, payment.currency)),
        "captured": payment.captured,
        "has_pay_code": payment.pay_code is not None,
        "created_at": with_z(payment.created_at),
        "deliveries": [asdict(delivery) for delivery in payment.deliveries],
    }


def _fault_shown(fault: Fault) -> Json:
    return {
        "id": fault.id,
        "fault": fault.name,
        "match": dict(fault.match),
        "times": fault.times,
        **fault.options,
    }


ROUTES = [
    Route("/_sandbox/health", health),
    Route("/_sandbox/ledger", ledger),
    Route("/_sandbox/requests", requests),
    Route("/_sandbox/payments", payments),
    Route("/_sandbox/payments/{uuid}/{action}", act, methods=["POST"]),
    Route("/_sandbox/settings", change_settings, methods=["GET", "POST"]),
    Route("/_sandbox/faults", faults, methods=["GET"]),
    Route("/_sandbox/faults", add_fault, methods=["POST"]),
    Route("/_sandbox/faults", clear_faults, methods=["DELETE"]),
    Route("/_sandbox/webhooks/release", release_webhooks, methods=["POST"]),
    Route("/_sandbox/clock", advance_clock, methods=["POST"]),
]
