"""What customers, banks and the provider's back office do with a charge after it was created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulator.charges import OPEN, Refund
from tests.simulator.provider import LATE_METHODS, PUSHED_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.charges import Charge
    from tests.simulator.world import World

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
LOOKS_MAX = 30  # so often a customer comes back to see whether there is something to pay
DECLINED = {"error_code": "issuer_declined", "error_message": "Declined."}


class Payer:
    """Decides by the dice; each order is paid once at most by its customer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._paid: set[str] = set()
        self._falling = self._dice.pick((0.1, 0.1, 0.6))  # the share of refunds that fall through
        self.plans = 0  # what is still to be done, but for charges that lapse

    def refuses(self, intent: str) -> bool:
        """Whether the provider says no to a create, at once and explicitly."""
        charges = self._world.provider.charges
        return not any(charge.intent == intent for charge in charges) and self._dice.chance(0.04)

    def meets(self, charge: Charge, body: dict[str, Any]) -> None:
        """A charge was created: how it stands at once, and what will become of it."""
        _MEETS[charge.flow](self, charge, body)

    def captured(self, charge: Charge) -> None:
        """A card was captured: it settles."""
        self._later(self._dice.skewed(MINUTE_S, 6 * HOUR_S), self._settle, charge)

    def prompted(self, charge: Charge) -> None:
        """The one-time code was right: the customer confirms on the phone, or does not."""
        self._later(self._dice.skewed(1, 10 * MINUTE_S), self._act, charge, LOOKS_MAX)

    def refunding(self, charge: Charge) -> None:
        """A refund is on its way: it arrives, or falls through."""
        self._later(self._dice.skewed(10, 6 * HOUR_S), self._end_refund, charge)

    def _later(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        if do != self._lapse:
            self.plans += 1
        self._world.loop.after(delay_s, self._do, do, *args)

    def _do(self, do: Callable[..., None], *args: Any) -> None:
        if do != self._lapse:
            self.plans -= 1
        do(*args)

    def _meets_card(self, charge: Charge, _: dict[str, Any]) -> None:
        charge.pushes = True
        plan = self._dice.weighed({"3ds": 4, "at once": 4, "slowly": 1, "declined": 1})
        if plan == "3ds":
            charge.pushes = False
            charge.pay_code = {"3ds_url": f"https://acs.example/{charge.reference}"}
        elif plan == "at once":
            charge.status = "authorised"
        elif plan == "declined":
            charge.status, charge.pay_code = "failed", DECLINED
        if charge.status == "pending":
            self._later(self._dice.skewed(1, 10 * MINUTE_S), self._act, charge, LOOKS_MAX)
            self._later(2 * HOUR_S, self._lapse, charge)
        elif charge.status == "authorised":
            self._later(self._dice.between(1, 6) * HOUR_S, self._lapse, charge)

    def _meets_payin(self, charge: Charge, body: dict[str, Any]) -> None:
        method = body["payin_method_name"]
        charge.expires_s = charge.expires_s or charge.created_s + HOUR_S
        if method in PUSHED_METHODS:
            charge.stage, charge.pushes = self._dice.pick(PUSHED_METHODS[method]), True
        elif method in LATE_METHODS:
            self._later(self._dice.skewed(5, 20 * MINUTE_S), self._give_code, charge)
        else:
            charge.stage, charge.pay_code = "normal_stage", {"pay_url": f"https://pay.example/{charge.reference}"}
        if charge.stage != "authorize_otp":
            self._later(self._dice.skewed(1, 40 * MINUTE_S), self._act, charge, LOOKS_MAX)
        self._later(charge.expires_s - charge.created_s, self._lapse, charge)

    def _meets_payid(self, charge: Charge, _: dict[str, Any]) -> None:
        charge.expires_s = charge.expires_s or charge.created_s + 2 * HOUR_S
        charge.pushes = True  # the provider mails it
        self._later(self._dice.skewed(1, 40 * MINUTE_S), self._act, charge, LOOKS_MAX)
        self._later(charge.expires_s - charge.created_s, self._lapse, charge)

    def _meets_gateway(self, charge: Charge, _: dict[str, Any]) -> None:
        self._later(self._dice.skewed(1, 40 * MINUTE_S), self._act, charge, LOOKS_MAX)

    def _give_code(self, charge: Charge) -> None:
        if charge.status == "pending":
            code = {"bank_name": "Sim", "account_number": charge.reference, "account_name": "Shop"}
            self._world.provider.change(charge, "pending", pay_code=code)

    def _act(self, charge: Charge, looks_left: int) -> None:
        """The customer pays, gives up, or cannot see yet where to pay."""
        if charge.status != "pending" or charge.intent in self._paid:
            return
        if not charge.pushes and charge.reference not in self._world.truth.shown:
            if looks_left:
                self._later(self._dice.skewed(5, 10 * MINUTE_S), self._act, charge, looks_left - 1)
            return
        deed = self._dice.weighed({"pays": 14, "gives up": 3, "pays late": 2, "fails": 3})
        if deed == "pays":
            self._pay(charge)
        elif deed == "fails" and charge.flow != "payid":
            self._world.provider.change(charge, "failed", pay_code=DECLINED)
            if charge.flow == "payin" and self._dice.chance(0.6):
                self._later(self._dice.skewed(1, 10 * MINUTE_S), self._pay, charge)  # after all
        elif deed == "pays late" and charge.expires_s is not None:
            self._later(
                charge.expires_s - self._world.loop.time() + self._dice.skewed(1, 6 * HOUR_S), self._pay, charge
            )

    def _pay(self, charge: Charge) -> None:
        if charge.status not in {"pending", "expired", "failed"} or charge.intent in self._paid:
            return
        self._paid.add(charge.intent)
        if charge.flow == "card":
            self._world.provider.change(charge, "authorised")
            self._later(self._dice.between(1, 6) * HOUR_S, self._lapse, charge)
        elif charge.flow != "payid" and self._dice.chance(0.4):
            self._world.provider.change(charge, "waiting", paid=charge.total)
            self._later(self._dice.skewed(MINUTE_S, 6 * HOUR_S), self._settle, charge)
        else:
            self._receive(charge)

    def _settle(self, charge: Charge) -> None:
        if charge.status == "waiting":
            self._receive(charge)

    def _receive(self, charge: Charge) -> None:
        self._world.provider.change(charge, "received", paid=charge.total)
        if self._dice.chance(0.1):
            self._later(self._dice.skewed(MINUTE_S, DAY_S), self._back_office, charge)

    def _lapse(self, charge: Charge) -> None:
        if charge.status in OPEN:
            self._world.provider.change(charge, "expired")

    def _back_office(self, charge: Charge) -> None:
        """Somebody refunds in the dashboard, or disputes at the bank.

        Never both the dashboard and the shop: where one refund is in doubt and another arrives, nobody can tell them
        apart, since the provider names no sum.
        """
        if charge.status != "received" or self._world.truth.asks_refunds(charge.intent):
            return
        if charge.flow == "card" and self._dice.chance(0.5):
            self._world.provider.change(charge, "in_dispute")
            self._later(self._dice.skewed(HOUR_S, 2 * DAY_S), self._decide, charge)
        elif charge.flow != "gateway_link":
            part = charge.paid if self._dice.chance(0.6) else charge.paid // 2
            charge.refunds.append(Refund(amount=part, note="dashboard"))
            self._world.provider.change(charge, "return_pending")
            self.refunding(charge)

    def _decide(self, charge: Charge) -> None:
        if charge.status == "in_dispute":
            self._world.provider.change(charge, self._dice.pick(("received", "dispute_lost")))

    def _end_refund(self, charge: Charge) -> None:
        refund = charge.running
        if refund is None:
            return
        if self._dice.chance(self._falling):
            refund.state = "fell through"
            self._world.provider.change(charge, self._dice.pick(("return_rejected", "return_expired")))
            return
        refund.state = "returned"
        is_part = charge.flow == "card" and charge.returned < charge.paid
        self._world.provider.change(charge, "partially_refunded" if is_part else "return_received")


_MEETS: dict[str, Callable[[Payer, Charge, dict[str, Any]], None]] = {
    "card": Payer._meets_card,
    "payin": Payer._meets_payin,
    "payid": Payer._meets_payid,
    "gateway_link": Payer._meets_gateway,
}
