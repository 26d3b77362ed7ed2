"""The provider's checks of a card create call, answered as 422 with one message."""

from decimal import Decimal

from sandbox.money import EXPONENTS, decimal_of
from sandbox.orders import CardOrder, Notification, text_of
from sandbox.payin_checks import check_notification
from sandbox.replies import Json, RefusalError, unprocessable

LEAST = Decimal("0.5")  # in major units, as the provider's own error text has it


def check_card(body: Json, *, default: Notification) -> CardOrder:
    """Return the order, announced at `default` if it names no webhook; raises RefusalError(422)."""
    for field in ("currency", "external_id", "return_url"):
        if not text_of(body, field):
            raise unprocessable(message=f"{field} can't be blank")
    currency = text_of(body, "currency")
    if currency not in EXPONENTS:
        raise unprocessable(message="Invalid currency.")
    token = body.get("token")
    token_id = text_of(token, "id") if isinstance(token, dict) else ""
    if not token_id.startswith("tok_") or token_id.startswith("tok_unknown"):
        raise unprocessable(message="Token ID not found.")
    return CardOrder(
        amount_minor=_amount(body.get("amount"), currency),
        currency=currency,
        token_id=token_id,
        token_type=text_of(token, "type") or "card" if isinstance(token, dict) else "card",
        external_id=text_of(body, "external_id"),
        return_url=text_of(body, "return_url"),
        notification=_notification(body, default),
    )


def _amount(raw: object, currency: str) -> int:
    number = None if isinstance(raw, str) else decimal_of(raw)
    if number is None or number != number.to_integral_value():
        raise unprocessable(message="Invalid amount. Please enter a whole number of the smallest currency unit.")
    if number.scaleb(-EXPONENTS[currency]) <= LEAST:
        raise unprocessable(message="Invalid amount. Please enter a value greater than 0.5.")
    return int(number)


def _notification(body: Json, default: Notification) -> Notification:
    errors: dict[str, str] = {}
    given = check_notification(body, errors, required=False)
    if errors:
        raise RefusalError(422, {"message": "; ".join(f"{key} {text}" for key, text in errors.items())})
    return given if given.endpoint_url else default
