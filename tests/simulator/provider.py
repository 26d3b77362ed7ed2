"""The model provider: its endpoints as the contract tells of them, and the ledger of what was really done there."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulator.charges import PLACES, Charge, Refund, body_of
from tests.simulator.shop import RIGHT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.ports import ProviderRequest
    from tests.simulator.world import World

Answer = tuple[int, Any]
PER_PAGE = 20
LAG_MAX_S = 40.0  # reads may be behind for less than the grace, which is what the grace is for
ROUND_LAG_MAX_S = 3.0  # and for less than `lagging.BEHIND_MS`, clocks considered, where words come round again
PUSHED_METHODS = {"gh_mobile_money_ghs": ("authorize_otp", "authorize_stk")}
LATE_METHODS = frozenset({"jp_bank_jpy"})
_CREATES = {
    "/v2/cards/create_payment": "card",
    "/v2/payins": "payin",
    "/v1/merchants/create_payment": "payid",
    "/v1/payment_gateways/create_payment": "gateway_link",
}
_REFUNDS = {
    "/v2/cards/refund_payment": "card",
    "/v2/payins/refund": "payin",
    "/v1/payment_requests/refund": "payid",
}
_REFUNDABLE = frozenset({"received", "partially_refunded", "return_received", "return_rejected", "return_expired"})
_NOTIFICATIONS = ("webhook_notification", "payment_request_notification", "payment_gateway_notification")


class Provider:
    """Executes requests; what it did is what the checks believe."""

    def __init__(self, world: World) -> None:
        dice = world.dice
        self.charges: list[Charge] = []
        self.creates: Counter[tuple[str, int]] = Counter()  # executed, by intent and attempt
        self.captures: Counter[str] = Counter()  # asked for after one was executed, by reference
        self.refunds: Counter[tuple[str, str]] = Counter()  # executed, by reference and note
        self.refused_creates: set[str] = set()  # intents of which a create was answered with an explicit no
        self.lag_s = dice.skewed(0.05, LAG_MAX_S) if dice.chance(0.6) else 0.0
        self._world = world
        self._by_reference: dict[str, Charge] = {}
        self._guards_ids = dice.chance(0.3)  # refuses a second create under one id
        self._knows_cards = dice.chance(0.3)  # payins/detail
        self._tells_length = dice.chance(0.7)  # of its pages
        self._refusing = dice.pick((0.0, 0.02, 0.3))  # the share of refunds that it does not take
        self._unknown: Answer = dice.pick(
            (
                (404, {"errors": {"message": "Not found"}}),
                (400, None),
                (422, {"errors": {"message": "Invalid uuid"}}),
                (200, {"currency": "PHP", "amount": 500, "gst": False}),
            )
        )

    def execute(self, request: ProviderRequest) -> Answer:
        """Do what is asked; the answer as status and JSON."""
        path = request.path
        if path in _CREATES:
            return self._create(_CREATES[path], request)
        if path in _REFUNDS:
            return self._refund(request)
        if path in _ENDPOINTS:
            return _ENDPOINTS[path](self, request)
        return self._read(path.rpartition("/")[2], "card")

    def intent_of(self, reference: str) -> str:
        """Whose charge this is."""
        return self._by_reference[reference].intent

    def is_harmless(self, intent: str) -> bool:
        """Whether another charge of this intent harms nobody: only we show it, or only the merchant is mailed."""
        method = self._world.truth.asked[intent]["method"]
        is_own_payid = method.get("type") == "payid" and bool(self._world.policy.payid_own_mailboxes)
        return "success_url" in method or is_own_payid

    def foretell(self, flow: str, request: ProviderRequest) -> Charge:
        """A create was done before the state of its payment was lost: the charge is there, and its payer too."""
        self._book(flow, request)
        return self.charges[-1]

    def change(self, charge: Charge, status: str, **changes: Any) -> None:
        """Move a charge on: recorded, shown by reads after a while, announced."""
        charge.status = status
        for name, value in changes.items():
            setattr(charge, name, value)
        charge.has_been.append(status)
        self._world.story.tell(f"provider: {charge.flow} {charge.reference} of {charge.intent} is {status}")
        self._show(charge)
        self._world.courier.announce(charge)

    def _show(self, charge: Charge) -> None:
        comes_round = charge.refunds or "in_dispute" in charge.has_been
        lag_s = min(self.lag_s, ROUND_LAG_MAX_S) if comes_round else self.lag_s
        shown_s = self._world.loop.time() + self._world.dice.fraction() * lag_s
        body = body_of(charge)
        if charge.status == "waiting" and self._world.weather.brings("status unheard of"):
            body["status"] = "clearing"
        charge.seen.append((shown_s, body))

    def _visible(self, charge: Charge) -> dict[str, Any] | None:
        now_s = self._world.loop.time()
        return next((body for shown_s, body in reversed(charge.seen) if shown_s <= now_s), None)

    def _create(self, flow: str, request: ProviderRequest) -> Answer:
        world, body = self._world, _fields(request)
        intent, _ = _addressed(body)
        if any(charge.intent == intent for charge in self.charges) and self._guards_ids:
            return 422, {"errors": {"message": "external_id was used before"}}
        if world.payer.refuses(intent):
            self.refused_creates.add(intent)
            return 422, {"errors": {"code": "INVALID", "message": "Invalid amount."}}
        world.truth.charged(intent, _asked(flow, body))
        return self._book(flow, request)

    def _book(self, flow: str, request: ProviderRequest) -> Answer:
        world, body = self._world, _fields(request)
        intent, attempt = _addressed(body)
        hook = next(body[name] for name in _NOTIFICATIONS if name in body)
        self.creates[intent, attempt] += 1
        amount = _asked(flow, body)
        number = 100_000 + len(self.charges) * 7
        charge = Charge(
            flow=flow,
            reference=f"P{number}" if flow in {"card", "payin"} else str(number),
            intent=intent,
            external_id=body.get("external_id") or body["order_id"],
            attempt=attempt,
            merchant=request.credentials,
            currency=body.get("currency", "AUD"),
            amount=amount,
            total=amount * 11 // 10 if body.get("gst") else amount,
            hook=(hook["endpoint_url"], hook["authorization_header"]),
            created_s=world.loop.time(),
            expires_s=_time_s(body.get("expired_at")),
        )
        self.charges.append(charge)
        self._by_reference[charge.reference] = charge
        world.payer.meets(charge, body)
        charge.has_been.append(charge.status)
        world.story.tell(f"provider: creates {flow} {charge.reference} of {intent}, attempt {attempt}: {charge.status}")
        self._show(charge)
        if flow == "gateway_link":
            link = f"https://pay.example/{charge.reference}"
            return 200, {"redirect_url": link, "payment_id": int(charge.reference), "order_id": charge.external_id}
        return 200, body_of(charge, with_stage=True)

    def _capture(self, request: ProviderRequest) -> Answer:
        charge = self._by_reference[_fields(request)["uuid"]]
        if charge.captures:
            self.captures[charge.reference] += 1
        if charge.status != "authorised":
            return 422, {"errors": {"message": "not capturable"}}
        charge.captures += 1
        self.change(charge, "waiting", paid=charge.total)
        self._world.payer.captured(charge)
        return 200, body_of(charge)

    def _confirm_otp(self, request: ProviderRequest) -> Answer:
        body = _fields(request)
        charge = self._by_reference[body["uuid"]]
        if not body["code"]:
            self._world.violated("I7", f"{charge.intent}: its one-time code was sent empty")
        if (
            charge.status != "pending"
            or charge.stage != "authorize_otp"
            or not str(body["code"]).startswith(RIGHT_CODE)
        ):
            return 422, {"errors": {"message": "wrong code"}}
        charge.stage = "authorize_stk"
        self._world.payer.prompted(charge)
        return 200, {"status": "Ok"}

    def _refund(self, request: ProviderRequest) -> Answer:
        body = _fields(request)
        charge = self._by_reference[str(body.get("uuid") or body["payment_request_id"])]
        note = str(body.get("description") or body["reason"])
        asked = next(body[name] for name in ("refund_amount", "amount") if name in body)
        amount = _minor(asked, "minor" if charge.flow == "card" else charge.currency)
        self._world.truth.refunding(charge.intent, note, amount)
        may = charge.status in _REFUNDABLE | ({"waiting"} if charge.flow == "card" else set())
        is_too_much = charge.returned + amount > charge.paid
        if not may or charge.running or is_too_much or self._world.dice.chance(self._refusing):
            return 422, {"errors": {"message": "not refundable"}}
        self.refunds[charge.reference, note] += 1
        charge.refunds.append(Refund(amount=amount, note=note))
        self.change(charge, "return_pending")
        self._world.payer.refunding(charge)
        if charge.flow == "card":
            return 200, {"total_amount": "0.0", "refund_amount": "0.0", "payin_request": body_of(charge)}
        return 200, body_of(charge)

    def _detail(self, request: ProviderRequest) -> Answer:
        reference = dict(request.query)["uuid"]
        charge = self._by_reference.get(reference)
        if charge is None or (charge.flow != "payin" and not (charge.flow == "card" and self._knows_cards)):
            return self._unknown
        return self._read(reference, charge.flow)

    def _status(self, request: ProviderRequest) -> Answer:
        return self._read(dict(request.query)["id"], "payid")

    def _read(self, reference: str, flow: str) -> Answer:
        charge = self._by_reference.get(reference)
        shown = self._visible(charge) if charge is not None and charge.flow == flow else None
        return (200, shown) if shown is not None else (404, {"errors": {"message": "Not found"}})

    def _list(self, request: ProviderRequest, flow: str, start: str, end: str) -> Answer:
        query = dict(request.query)
        from_s, to_s, page = _time_s(query[start]) or 0, _time_s(query[end]) or 0, int(query["page"])
        records = [
            body
            for charge in self.charges
            if charge.flow == flow and charge.merchant == request.credentials and from_s <= charge.created_s <= to_s
            if (body := self._visible(charge)) is not None
        ]
        shown = records[(page - 1) * PER_PAGE : page * PER_PAGE]
        told = {"per_page": PER_PAGE} if self._tells_length else {}
        return 200, {"records": shown, "page": page, **told}

    def _cards(self, request: ProviderRequest) -> Answer:
        return self._list(request, "card", "start_date", "end_date")

    def _payins(self, request: ProviderRequest) -> Answer:
        return self._list(request, "payin", "from_date", "to_date")


_ENDPOINTS: dict[str, Callable[[Provider, ProviderRequest], Answer]] = {
    "/v2/cards/capture_payment": Provider._capture,
    "/v2/payins/confirm_otp": Provider._confirm_otp,
    "/v2/payins/detail": Provider._detail,
    "/v1/payment_requests/status": Provider._status,
    "/v2/cards/payments": Provider._cards,
    "/v2/payins/all": Provider._payins,
}


def _fields(request: ProviderRequest) -> dict[str, Any]:
    return dict(request.body or {})


def _addressed(body: dict[str, Any]) -> tuple[str, int]:
    """The intent and the attempt of a create, as the address for its webhooks says."""
    hook = next(body[name] for name in _NOTIFICATIONS if name in body)
    merchant, intent_id, attempt = hook["endpoint_url"].split("/")[-3:]
    return f"{merchant}/{intent_id}", int(attempt)


def _asked(flow: str, body: dict[str, Any]) -> int:
    return _minor(body.get("amount"), "minor" if flow == "card" else body.get("currency", "AUD"))


def _minor(amount: Any, unit: str) -> int:
    """The amount of a request in minor units, as this endpoint reads it."""
    return int(amount) if unit == "minor" else int(Decimal(amount).scaleb(PLACES.get(unit, 2)))


def _time_s(text: Any) -> float | None:
    if not text:
        return None
    read = datetime.fromisoformat(str(text))
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
