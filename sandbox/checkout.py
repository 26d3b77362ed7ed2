"""`/pay/…`: the page to which the sandbox's own pay codes lead; a person plays the customer there."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.access import provider_of
from sandbox.actions import ACTIONS
from sandbox.document import document, is_web, sorry
from sandbox.markup import Markup, facts, tag
from sandbox.money import for_people
from sandbox.offers import Offer, offers_for
from sandbox.payments import Payment

TITLES = {"card": "Is it you who pays?", "payid": "Pay by PayID", "gateway_link": "Checkout", "payin": "Pay"}
# A hosted checkout knows where to send a happy customer only; the others know one address for everybody.
HAPPY_ONLY = "gateway_link"


async def show(request: Request) -> Response:
    """Show what is to be paid and what the customer can do."""
    payment = _payment(request)
    if payment is None:
        return _unknown()
    buttons = tag("div", *(_button(payment, offer) for offer in _choices(payment)), class_="buttons")
    hint = tag("p", "There is nothing to do here any more.") if not _choices(payment) else ""
    body = (tag("h1", TITLES[payment.flow]), facts(_facts(payment)), _how(payment), buttons, hint, _way_back(payment))
    return document(TITLES[payment.flow], tag("div", *body, class_="till"), way_out=payment.return_url)


async def act(request: Request) -> Response:
    """Do what the customer chose, then go back to the shop, which learns nothing from that."""
    payment = _payment(request)
    if payment is None:
        return _unknown()
    chosen = dict(parse_qsl((await request.body()).decode("latin-1"))).get("action", "")
    if chosen not in {offer.action for offer in _choices(payment)}:
        return sorry(f"A payment that is {payment.status} does not allow this.", status=409, back=path_of(payment))
    ACTIONS[chosen](provider_of(request), payment, {})
    return RedirectResponse(_next_page(payment), status_code=303)


def path_of(payment: Payment) -> str:
    """Return the page's path; that of a hosted checkout is known to the holder of its token only."""
    return f"/pay/{payment.uuid}" + (f"?payment={payment.link_token}" if payment.link_token else "")


def _payment(request: Request) -> Payment | None:
    payment = provider_of(request).payments.get(request.path_params["uuid"])
    if payment is None or request.query_params.get("payment", "") != payment.link_token:
        return None
    return payment


def _choices(payment: Payment) -> list[Offer]:
    return offers_for(payment, player="customer")


def _button(payment: Payment, offer: Offer) -> Markup:
    button = tag("button", offer.label, name="action", value=offer.action, class_=offer.action)
    return tag("form", button, method="post", action=path_of(payment))


def _next_page(payment: Payment) -> str:
    happy = payment.status in {"authorised", "waiting", "received"}
    if is_web(payment.return_url) and (happy or payment.flow != HAPPY_ONLY):
        return payment.return_url
    return path_of(payment)


def _facts(payment: Payment) -> dict[str, str]:
    shown = {"To pay": for_people(payment.total_minor, payment.currency)}
    if payment.paid_minor:
        shown["Paid"] = for_people(payment.paid_minor, payment.currency)
    texts = {"For": payment.description, "Order": payment.external_id, "By": payment.name, "Status": payment.status}
    stage = payment.stage if payment.stage != "normal_stage" else None
    return {**shown, **{name: text for name, text in texts.items() if text}, **({"Stage": stage} if stage else {})}


def _how(payment: Payment) -> Markup:
    """Show the pay code where it is more than this page's own address."""
    codes = {"PayID": payment.pay_id} if payment.pay_id else dict(payment.pay_code or {})
    shown = {key.replace("_", " "): text for key, text in codes.items() if not key.endswith("_url")}
    return tag("section", tag("h2", "How to pay"), facts(shown)) if shown else Markup("")


def _way_back(payment: Payment) -> Markup:
    if not is_web(payment.return_url):
        return Markup("")
    return tag("p", tag("a", "Back to the shop", href=payment.return_url), class_="quiet")


def _unknown() -> Response:
    return document(
        "Unknown", tag("h1", "No such payment"), tag("p", "The sandbox forgets all when restarted."), status=404
    )


ROUTES = [
    Route("/pay/{uuid}", show, methods=["GET"]),
    Route("/pay/{uuid}", act, methods=["POST"]),
]
