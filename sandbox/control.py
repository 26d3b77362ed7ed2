"""`/_sandbox/…`: the tool of tests and demos; without authentication, so for the loopback only."""

from dataclasses import asdict, replace
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.access import provider_of
from sandbox.actions import ACTIONS
from sandbox.dates import with_z
from sandbox.document import sorry
from sandbox.faults import Fault, UnknownFaultError
from sandbox.ledger import matching
from sandbox.money import decimal_of, major_of
from sandbox.payments import IllegalMoveError, Payment
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
    return answer({"payments": [row for row in shown if all(str(row.get(key)) == value for key, value in wanted)]})


async def act(request: Request) -> Response:
    """Play the customer, the bank or the provider's staff; 409 if the payment's status forbids it."""
    provider, params = provider_of(request), request.path_params
    payment, action = provider.payments.get(params["uuid"]), ACTIONS.get(params["action"])
    if payment is None or action is None:
        return _refused(request, 404, f"no such payment or action; actions: {', '.join(ACTIONS)}")
    try:
        action(provider, payment, await _optional_object(request))
    except IllegalMoveError as error:
        return _refused(request, 409, str(error), status=payment.status)
    except RefusalError as error:
        if not is_from_page(request):
            raise
        return _refused(request, error.status, "; ".join(f"{key} {text}" for key, text in (error.errors or {}).items()))
    return _home(payment.uuid) if is_from_page(request) else answer(_shown(payment))


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


async def revoke_tokens(request: Request) -> Response:
    """Let no access token be accepted any more."""
    return answer({"revoked": provider_of(request).tokens.revoke_all()})


async def advance_clock(request: Request) -> Response:
    """Push the clock on; on return everything that fell due is done."""
    provider = provider_of(request)
    seconds = decimal_of((await _optional_object(request)).get("advance_s"))
    if seconds is None or seconds < 0:
        return _refused(request, 422, "advance_s must be a number of zero or more")
    await provider.schedule.advance(float(seconds))
    return _home() if is_from_page(request) else answer({"elapsed_s": round(provider.clock.elapsed_s(), 3)})


def is_from_page(request: Request) -> bool:
    """Whether a form of the page was sent, which is to be answered with a page again."""
    return "text/html" in request.headers.get("accept", "")


def _home(uuid: str = "") -> Response:
    return RedirectResponse(f"/_sandbox/#{uuid}" if uuid else "/_sandbox/", status_code=303)


def _refused(request: Request, code: int, error: str, **more: str) -> Response:
    return (
        sorry(error, status=code, back="/_sandbox/")
        if is_from_page(request)
        else answer({"error": error, **more}, code)
    )


async def _optional_object(request: Request) -> Json:
    if is_from_page(request):
        return dict(parse_qsl((await request.body()).decode("latin-1")))
    return await json_object(request) if await request.body() else {}


def _shown(payment: Payment) -> Json:
    return {
        "uuid": payment.uuid,
        "id": payment.id,
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
    Route("/_sandbox/tokens/revoke", revoke_tokens, methods=["POST"]),
    Route("/_sandbox/clock", advance_clock, methods=["POST"]),
]
