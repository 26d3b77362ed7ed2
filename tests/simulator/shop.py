"""The order services: they ask for payments, hear of them, and give commands; sometimes twice, sometimes nonsense."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.flows import FLOWS
from orchestrator.intent import parse_intent
from orchestrator.payment import new_payment
from tests.simulator.charges import moment

if TYPE_CHECKING:
    from tests.simulator.world import World

RIGHT_CODE = "1234"  # how a one-time code begins that the provider takes
REFUNDS_MAX = 4  # of a payment: each takes up to a day to be heard of
SHARES = {"card": 4, "payin": 4, "payid": 2, "gateway_link": 2}
METHODS = {
    "ph_ewallet_gcash_php": ("PHP", {}),
    "jp_bank_jpy": ("JPY", {"user_id": "1", "ip_address": "192.0.2.1", "first_name": "A", "last_name": "B"}),
    "gh_mobile_money_ghs": ("GHS", {"account_number": "233240000000"}),
}
CUSTOMER = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "name": "Ada Lovelace",
    "phone": "+61400000000",
    "email": "ada@example.com",
    "country_code": "AU",
    "postal_code": "2166",
    "city": "Canley Heights",
    "address": "40 Peel Street",
}
_NONSENSE = (b"{", b"[]", b'{"intent_id": "x"}', b'{"intent_id": "ord-1", "amount_minor": 1.5}', b"\xff\xfe")


class Shop:
    """Sends over the queue and hears from the broker."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._heard: dict[str, int] = {}  # the last sequence of each payment
        self._commands = 0
        self._codes: dict[str, int] = {}
        self._refunds: Counter[str] = Counter()  # asked for, of each payment
        self._is_eager = self._dice.chance(0.3)  # to refund, and at once
        self.to_send = 0

    def open(self) -> None:
        """Plan the orders of the run."""
        for number in range(self._dice.pick((1, 2, 2, 3))):
            intent = self._order(number)
            self._world.truth.orders(intent)
            if self._world.weather.brings("state lost before"):
                self._was_sent_before(intent)
                continue
            at_s = self._dice.skewed(0.01, 60)
            self.send_intent(at_s, intent)
            if self._world.weather.brings("intent in conflict"):
                other = intent | {"amount_minor": intent["amount_minor"] + 100}
                self._send(at_s + self._dice.skewed(1, 300), b"intent", json.dumps(other).encode())
                self._world.truth.disagree(json.dumps(intent).encode(), json.dumps(other).encode())
            if self._dice.chance(0.15):
                self._command(at_s + self._dice.skewed(0.001, 5), intent, "cancel")
        if self._world.weather.brings("message unreadable"):
            self._send(self._dice.skewed(0.1, 60), b"intent", self._dice.pick(_NONSENSE))

    def send_intent(self, delay_s: float, intent: dict[str, Any]) -> None:
        """Ask for a payment."""
        self._send(delay_s, b"intent", json.dumps(intent).encode())

    def hear(self, event: dict[str, Any]) -> None:
        """An event of a payment, delivered at least once."""
        data = event["data"]
        key = f"{data['merchant']}/{data['intent_id']}"
        if data["sequence"] <= self._heard.get(key, 0):
            return
        self._heard[key] = data["sequence"]
        intent = self._world.truth.asked[key]
        action = data["next_action"] or {}
        if data["status"] == "requires_capture" and self._dice.chance(0.8):
            self._command(self._dice.skewed(0.1, 3600), intent, "capture")
        elif action.get("type") == "otp":
            self._confirm(key, intent)
        elif data["status"] == "succeeded" and self._dice.chance(0.9 if self._is_eager else 0.5):
            self._refund(intent, data["paid_minor"])
        elif data["status"] == "partially_refunded" and self._dice.chance(0.9 if self._is_eager else 0.4):
            self._refund(intent, data["paid_minor"] - data["refunded_minor"])

    def hear_refusal(self, body: bytes) -> None:
        """A message of ours was refused: a refund that the provider did not take is asked for anew, perhaps."""
        command = json.loads(body)
        intent = self._world.truth.asked[f"{command['merchant']}/{command['intent_id']}"]
        if self._dice.chance(0.9 if self._is_eager else 0.4):
            self._refund(intent, command["amount_minor"])

    def _was_sent_before(self, intent: dict[str, Any]) -> None:
        """All that was known of a payment was lost, which had been sent; its webhook comes, then its intent again."""
        world = self._world
        payment = new_payment(parse_intent(intent), now_ms=int(world.loop.time() * 1000))
        flow = FLOWS[payment.flow]
        request = flow.create(payment, world.webhooks.notification(payment.key, 1), world.policy.dialect)
        charge = world.provider.foretell(payment.flow, request)
        world.courier.foretell(charge, lambda: self.send_intent(self._dice.skewed(0.01, 60), intent))

    def _order(self, number: int) -> dict[str, Any]:
        dice = self._dice
        flow = dice.weighed(SHARES)
        intent: dict[str, Any] = {
            "intent_id": f"ord-{number}",
            "merchant": dice.pick(("default", "default", "shop-b")),
            "amount_minor": dice.count(1, 500_000),
            "currency": "AUD",
            "description": f"Order {number}",
            "customer": CUSTOMER,
        }
        if flow == "card":
            method = {"token": f"tok_{number}", "return_url": "https://shop.example/back"}
            intent["method"] = method | ({"capture": "manual"} if dice.chance(0.3) else {})
        elif flow == "payin":
            name = dice.pick(tuple(METHODS))
            intent["currency"], params = METHODS[name]
            intent["method"] = {"payin_method_name": name, "payin_method_params": params}
        elif flow == "payid":
            intent["method"] = {"type": "payid", "gst": dice.chance(0.3)}
        else:
            intent["method"] = {"success_url": "https://shop.example/thanks"}
        if dice.chance(0.4):
            intent["expires_at"] = moment(self._world.loop.time() + dice.skewed(1800, 4 * 3600)).replace(
                ".000+0000", "Z"
            )
        if dice.chance(0.1):
            intent["send_within_s"] = dice.count(5, 600)
        return intent

    def _confirm(self, key: str, intent: dict[str, Any]) -> None:
        tries = self._codes[key] = self._codes.get(key, 0) + 1
        if tries <= 3:
            code = f"{9999 if self._dice.chance(0.2) else RIGHT_CODE}{self._commands:02}"  # each command its own
            self._command(self._dice.skewed(1, 600), intent, "confirm_otp", code=code)

    def _refund(self, intent: dict[str, Any], left_minor: int) -> None:
        amount = left_minor if self._dice.chance(0.4) else self._dice.count(1, max(1, left_minor))
        charges = self._world.provider.charges
        key = f"{intent['merchant']}/{intent['intent_id']}"
        if any(refund.note == "dashboard" for charge in charges for refund in charge.refunds):
            return
        self._refunds[key] += 1
        if self._refunds[key] > REFUNDS_MAX:
            return
        refund_id = f"r-{self._commands}"
        fields = {"refund_id": refund_id, "amount_minor": amount, "reason": f"Reason {refund_id}"}
        self._world.truth.refund_asked(intent, fields)
        self._command(self._dice.skewed(0.5, 30 if self._is_eager else 3600), intent, "refund", **fields)

    def _command(self, delay_s: float, intent: dict[str, Any], name: str, **fields: Any) -> None:
        self._commands += 1
        message = {
            "command": name,
            "merchant": intent["merchant"],
            "intent_id": intent["intent_id"],
            "command_id": f"c-{self._commands}",
        } | fields
        body = json.dumps(message).encode()
        self._send(delay_s, b"command", body)
        if self._world.weather.brings("command twice"):
            self._send(delay_s + self._dice.skewed(0.001, 600), b"command", body)
        if self._world.weather.brings("command in conflict"):
            other = message | {"command": "cancel"} if name != "cancel" else message | {"command": "capture"}
            other = {key: other[key] for key in ("command", "merchant", "intent_id", "command_id")}
            self._send(delay_s + self._dice.skewed(0.001, 600), b"command", json.dumps(other).encode())

    def _send(self, delay_s: float, field: bytes, body: bytes) -> None:
        """Publish after a while; the queue is at least once, and in no order."""
        weather = self._world.weather
        copies = 2 if weather.brings("message twice") else 1
        for _ in range(copies):
            late_s = self._dice.skewed(1, 300) if weather.brings("message late") else 0.0
            self.to_send += 1
            self._world.loop.after(max(0.0, delay_s) + late_s, self._publish, field, body)

    def _publish(self, field: bytes, body: bytes) -> None:
        self.to_send -= 1
        self._world.story.tell(f"shop: {field.decode()} {body[:120]!r}")
        self._world.stream.add({field: body})
