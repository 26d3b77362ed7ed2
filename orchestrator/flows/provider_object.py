"""The payment object as the provider writes it: tolerant readers shared by the flows (contract 1, 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.money import AmountError, from_major, from_minor
from orchestrator.provider_error import plain
from orchestrator.sighting import REFUND_FELL_THROUGH, SPELLINGS, TARGETS, AmountCheck, Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.payment import Payment
    from orchestrator.sighting import Source

_URL_KEYS = {"3ds_url": "3ds", "pay_url": "payment", "redirect_url": "payment", "payment_url": "payment"}
_SHOWN_KEYS = {"qr_string": "show_qr", "pay_id": "show_payid"}
_BANK_KEYS = (
    "bank_name",
    "bank_code",
    "account_number",
    "account_name",
    "account_type",
    "account_holder_name",
    "virtual_account_number",
    "reference_number",
    "branch_code",
    "branch_name",
    "transfer_id",
    "transfer_name",
    "swift_code",
    "description",
    "expired_timestamp",
)
_BANK_PROOF = frozenset({"account_number", "virtual_account_number", "bank_name", "reference_number"})
_ID_BITS_MAX = 256
_OPAQUE_DEPTH_MAX = 16


def unwrap(body: object) -> Mapping[str, Any] | None:
    """The payment object of a body, out of its `example` envelope if that is all there is (T-26)."""
    if isinstance(body, dict) and len(body) == 1 and isinstance(body.get("example"), dict):
        body = body["example"]
    return body if isinstance(body, dict) else None


def text(value: object) -> str | None:
    """A non-empty string that can be stored, or an integer id written as one (D-17); anything else is absent."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() <= _ID_BITS_MAX else None
    return _storable(value.strip()) or None if isinstance(value, str) else None


def status_word(value: object) -> str | None:
    """The provider's status in lower case, spelling variants folded (contract 3.1)."""
    word = text(value)
    return SPELLINGS.get(word.lower(), word.lower()) if word else None


def time_ms(value: object) -> int | None:
    """A provider's time as milliseconds (D-16): `Z`, `+0000`, naive is UTC; empty and unreadable are absent."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """The amounts of a payment object in minor units, and whether they are those that were asked for."""

    check: AmountCheck = AmountCheck.UNVERIFIABLE
    total_minor: int | None = None
    paid_minor: int | None = None


def amounts_in(payment: Payment, body: Mapping[str, Any], *, read: Callable[[object], int]) -> Amounts:
    """Read amount, total and paid_amount with the reader of their unit; nothing is rounded."""
    try:
        amount = read(body["amount"]) if body.get("amount") is not None else None
        total = read(body["total"]) if body.get("total") is not None else None
        paid = read(body["paid_amount"]) if body.get("paid_amount") is not None else None
    except AmountError:
        return Amounts(check=AmountCheck.MISMATCH)
    if payment.amount_minor is None:
        quoted = total if total is not None else amount
        known = payment.total_minor is None or payment.total_minor == quoted
        return Amounts(check=AmountCheck.OK if known else AmountCheck.MISMATCH, total_minor=quoted, paid_minor=paid)
    return Amounts(check=_checked(payment, amount, total), total_minor=total, paid_minor=paid)


def _checked(payment: Payment, amount: int | None, total: int | None) -> AmountCheck:
    if amount is None and total is None:
        return AmountCheck.UNVERIFIABLE
    if amount is not None and amount != payment.amount_minor:
        return AmountCheck.MISMATCH
    if total is None:
        return AmountCheck.OK
    if payment.total_minor is not None:
        return AmountCheck.OK if total == payment.total_minor else AmountCheck.MISMATCH
    # The tax is not a whole number of minor units: either neighbour is the provider's to choose.
    exact = (payment.amount_minor or 0) * 11
    return AmountCheck.OK if abs(total * 10 - exact) < 10 else AmountCheck.MISMATCH


def refunded_in(body: Mapping[str, Any], *, read: Callable[[object], int]) -> int | None:
    """The sum that was returned, where `refund_information` names one in this unit (T-27)."""
    information = body.get("refund_information")
    if not isinstance(information, dict) or information.get("refund_amount") is None:
        return None
    try:
        return read(information["refund_amount"])
    except AmountError:
        return None


def major_reader(currency: str) -> Callable[[object], int]:
    """Reads numbers in major units."""
    return lambda value: from_major(value, currency)


def described(
    payment: Payment,
    found: Mapping[str, Any],
    *,
    reference: str | None,
    own_id: str,
    amounts: Amounts,
    source: Source,
    operation: str | None,
) -> Sighting:
    """What all flows read alike of a payment object; `own_id` is the name of the field that echoes our id."""
    word, currency = status_word(found.get("status")), text(found.get("currency"))
    return Sighting(
        source=source,
        usable=True,
        operation=operation,
        reference=reference,
        external_id=text(found.get(own_id)),
        provider_status=word,
        target=TARGETS.get(word or ""),
        refund_fell_through=word in REFUND_FELL_THROUGH,
        failure=failure(found),
        amount=amounts.check,
        currency_differs=currency is not None and currency.upper() != payment.currency,
        total_minor=amounts.total_minor,
        paid_minor=amounts.paid_minor,
    )


def card_reader(payment: Payment, body: Mapping[str, Any], *, unit: str = "auto") -> Callable[[object], int]:
    """The reader of a card reply's unit (D-02): what equals the asked amount decides; neither is a mismatch."""
    if unit != "auto":
        return from_minor if unit == "minor" else major_reader(payment.currency)
    value = body.get("amount") if body.get("amount") is not None else body.get("total")
    try:
        if from_minor(value) == payment.amount_minor:
            return from_minor
    except AmountError:
        pass
    return major_reader(payment.currency)


def next_action(pay_code: object, *, allow_http: bool) -> Mapping[str, Any] | None:
    """What the customer has to do, by the shape of the pay code (contract 3.4); None where it is not usable."""
    if isinstance(pay_code, str):
        return _redirect(pay_code, "payment", allow_http=allow_http)
    if not isinstance(pay_code, dict):
        return None
    for key, purpose in _URL_KEYS.items():
        action = _redirect(pay_code.get(key), purpose, allow_http=allow_http)
        if action:
            return action
    for key, kind in _SHOWN_KEYS.items():
        shown = text(pay_code.get(key))
        if shown:
            return {"type": kind, key: shown}
    return _bank_details(pay_code) or _opaque(pay_code, allow_http=allow_http)


def failure(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The provider's words of a decline, `error_code` and `error_message` of the pay code; nothing secret in them."""
    pay_code = body.get("pay_code")
    if not isinstance(pay_code, dict):
        return None
    code, message = (text(pay_code.get(name)) or "" for name in ("error_code", "error_message"))
    return {"code": plain(code) or "failed", "message": plain(message)} if code or message else None


def _redirect(url: object, purpose: str, *, allow_http: bool) -> Mapping[str, Any] | None:
    address = text(url)
    schemes = ("https://", "http://") if allow_http else ("https://",)
    if address is None or not address.startswith(schemes):
        return None
    return {"type": "redirect", "purpose": purpose, "url": address}


def _bank_details(pay_code: Mapping[str, Any]) -> Mapping[str, Any] | None:
    nested = pay_code.get("bank_information")
    source = nested if isinstance(nested, dict) else pay_code
    details = {key: shown for key in _BANK_KEYS if (shown := text(source.get(key)))}
    return {"type": "show_bank_details", **details} if _BANK_PROOF & details.keys() else None


def _opaque(pay_code: Mapping[str, Any], *, allow_http: bool) -> Mapping[str, Any] | None:
    """A shape that nobody documents is passed on, but never with an address of another scheme."""
    if not any(key not in {"message", "error_code", "error_message"} and pay_code[key] for key in pay_code):
        return None
    addresses = (value for key, value in pay_code.items() if key.endswith("url") and value)
    if not all(_redirect(address, "", allow_http=allow_http) for address in addresses):
        return None
    return {"type": "opaque", "pay_code": _plain(pay_code, _OPAQUE_DEPTH_MAX)}


def _plain(value: object, depth_left: int) -> object:
    """JSON that every reader takes: decimals as text with their digits, what is nested too deep left out."""
    if depth_left == 0:
        return None
    if isinstance(value, dict):
        return {_storable(str(key)): _plain(item, depth_left - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth_left - 1) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    return text(value) if isinstance(value, str | int) else str(value)


def _storable(value: str) -> str:
    """The text without halves of characters, which cannot be encoded."""
    return value.encode("utf-8", "replace").decode()
