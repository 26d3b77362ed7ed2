"""`/_sandbox/`: everything a person wants to see and press, on one page."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.access import provider_of
from sandbox.checkout import path_of
from sandbox.document import document
from sandbox.markup import Markup, join, table, tag
from sandbox.money import for_people
from sandbox.offers import Offer, offers_for
from sandbox.payments import Payment
from sandbox.provider import Provider

HOME = "/_sandbox/"
PAYMENTS_MOST = 50
ROWS_MOST = 100
STEPS = {"15 minutes": 900, "1 hour": 3600, "1 day": 86_400, "7 days": 604_800, "10 days": 864_000}
PLAYERS = {"customer": "Customer", "provider": "Bank and provider"}


async def home(request: Request) -> Response:
    """Show the payments that fit `external_id`, newest first, the ledger and the requests."""
    provider, wanted = provider_of(request), request.query_params.get("external_id", "").strip()
    payments = [row for row in reversed(provider.payments.values()) if wanted in row.external_id]
    return document(
        "Payments",
        _top(provider, wanted),
        _payments(payments),
        _ledger(provider),
        _requests(provider),
    )


def _top(provider: Provider, wanted: str) -> Markup:
    ran = f"Clock {provider.clock.elapsed_s():,.0f} s · speed {provider.settings.speed:g}"
    steps = (_form("/_sandbox/clock", f"+ {label}", {"advance_s": str(s)}) for label, s in STEPS.items())
    field = tag("input", type="search", name="external_id", value=wanted, aria_label="Order", placeholder="Order")
    find = tag("form", field, tag("button", "Find"), tag("a", "Reload", href=HOME), action=HOME, class_="find")
    links = (tag("a", name.capitalize(), href=f"#{name}") for name in ("payments", "ledger", "requests"))
    heading = tag("header", tag("h1", "Sandbox"), tag("p", ran, class_="quiet"), tag("nav", *links))
    return join(heading, find, tag("div", *steps, class_="buttons"))


def _payments(payments: list[Payment]) -> Markup:
    shown = payments[:PAYMENTS_MOST]
    count = f"{len(shown)} of {len(payments)}, newest first" if payments else "None yet."
    heading = tag("h2", "Payments ", tag("small", count))
    return tag("section", heading, *(_payment(payment) for payment in shown), id="payments")


def _payment(payment: Payment) -> Markup:
    title = tag("h3", payment.external_id or payment.uuid, " ", _status(payment))
    page = tag("a", "Customer’s page", href=path_of(payment))
    kind = payment.method if payment.flow == "payin" else payment.flow
    line = tag("p", f"{kind} · {payment.id} · ", page, class_="quiet")
    return tag(
        "article", tag("div", title, line, _money(payment)), _buttons(payment), _webhooks(payment), id=payment.uuid
    )


def _status(payment: Payment) -> Markup:
    stage = f" · {payment.stage}" if payment.stage not in {None, "normal_stage"} and payment.status == "pending" else ""
    return tag("span", f"{payment.status}{stage}", class_=f"status {payment.status}")


def _money(payment: Payment) -> Markup:
    more = {"paid": payment.paid_minor, "returned": payment.refunded_minor}
    parts = (f" · {name} {for_people(minor, payment.currency)}" for name, minor in more.items() if minor)
    return tag("p", for_people(payment.total_minor, payment.currency), *parts, class_="money")


def _buttons(payment: Payment) -> Markup:
    rows = (_row(payment, PLAYERS[player], offers_for(payment, player=player)) for player in PLAYERS)
    return tag("div", *rows)


def _row(payment: Payment, who: str, offers: list[Offer]) -> Markup:
    if not offers:
        return Markup("")
    path = f"/_sandbox/payments/{payment.uuid}"
    forms = (_form(f"{path}/{offer.action}", offer.label, offer.options(payment)) for offer in offers)
    return tag("div", tag("span", who, class_="who"), tag("div", *forms, class_="buttons"), class_="row")


def _form(action: str, label: str, fields: Mapping[str, str]) -> Markup:
    hidden = (tag("input", type="hidden", name=name, value=value) for name, value in fields.items())
    return tag("form", *hidden, tag("button", label), method="post", action=action)


def _webhooks(payment: Payment) -> Markup:
    if not payment.deliveries:
        return Markup("")
    rows = [
        (row.at, row.status, str(row.attempt), str(row.answer) if row.answer else row.error or "")
        for row in payment.deliveries
    ]
    summary = tag("summary", f"Webhooks: {len(rows)}, last answered {rows[-1][3]}")
    return tag("details", summary, table(("at", "status", "attempt", "answer"), rows))


def _ledger(provider: Provider) -> Markup:
    rows = [
        (
            str(row.seq),
            row.at,
            row.kind,
            for_people(row.amount_minor, row.currency),
            row.flow,
            row.external_id,
            str(row.id),
        )
        for row in reversed(provider.ledger.entries[-ROWS_MOST:])
    ]
    heads = ("", "at", "what", "amount", "flow", "order", "id")
    return tag("section", tag("h2", "Ledger ", tag("small", "what was really done")), table(heads, rows), id="ledger")


def _requests(provider: Provider) -> Markup:
    rows = [
        (str(row.seq), row.at, f"{row.method} {row.path}", str(row.status or "none"), row.fault or "", row.external_id)
        for row in reversed(provider.ledger.requests[-ROWS_MOST:])
    ]
    heads = ("", "at", "request", "answer", "fault", "order")
    return tag(
        "section",
        tag("h2", "Requests ", tag("small", "what the provider was asked")),
        table(heads, rows),
        id="requests",
    )


ROUTES = [Route(HOME, home)]
