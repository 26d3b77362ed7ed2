"""The provider's checks of a payin create call, answered as a 422 map of field to text."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.dates import parse_moment
from sandbox.methods import METHODS, NUMERIC_PARAMS, Method
from sandbox.money import decimal_of, minor_of
from sandbox.orders import Notification, PayinOrder, text_of
from sandbox.replies import Json, RefusalError

BLANK = "can't be blank"
INVALID = "is invalid"
EXPIRY_LEAD = timedelta(minutes=15)
SWITCHES: Mapping[object, bool] = {True: True, False: False, "true": True, "false": False}


def check_payin(body: Json, *, now: datetime) -> PayinOrder:
    """Return the order; raises RefusalError(422) that names every wrong field."""
    errors: dict[str, str] = {
        key: BLANK
        for key in ("currency", "name", "email", "description", "payin_method_name")
        if not text_of(body, key)
    }
    method = METHODS.get(text_of(body, "payin_method_name"))
    gst = check_gst(body, errors)
    expires_at = _expiry(body, now, errors)
    notification = check_notification(body, errors, required=True)
    if method is None:
        errors.setdefault("payin_method_name", INVALID)
        raise RefusalError(422, dict(errors))
    amount_minor = _amount(body, method, errors)
    _currency(body, method, errors)
    _params(body, method, errors)
    if errors:
        raise RefusalError(422, dict(errors))
    return PayinOrder(
        method=method,
        amount_minor=amount_minor,
        gst=gst,
        name=text_of(body, "name"),
        email=text_of(body, "email"),
        external_id=text_of(body, "external_id"),
        description=text_of(body, "description"),
        notification=notification,
        expires_at=expires_at,
        return_url=_return_url(body),
    )


def check_notification(
    body: Json, errors: dict[str, str], *, required: bool, key: str = "webhook_notification"
) -> Notification:
    """Read the notification under `key`; absent is fine, half of it is not where `required`."""
    given = body.get(key)
    if given is None:
        return Notification()
    if not isinstance(given, dict):
        errors[key] = INVALID
        return Notification()
    url, header = text_of(given, "endpoint_url"), text_of(given, "authorization_header")
    if url and not url.startswith(("https://", "http://")):
        errors["endpoint_url"] = INVALID
    if required and not url:
        errors["endpoint_url"] = BLANK
    if required and not header:
        errors["authorization_header"] = BLANK
    if not header.isascii() or not header.isprintable():
        errors["authorization_header"] = INVALID
    return Notification(endpoint_url=url, authorization_header=header)


def check_gst(body: Json, errors: dict[str, str]) -> bool:
    """Read `gst`, a boolean or its English word (contract T-08)."""
    raw = body.get("gst")
    if not isinstance(raw, bool | str) or raw not in SWITCHES:
        errors["gst"] = BLANK if raw is None else INVALID
        return False
    return SWITCHES[raw]


def _expiry(body: Json, now: datetime, errors: dict[str, str]) -> datetime | None:
    raw = body.get("expired_at")
    if raw is None:
        return None
    moment = parse_moment(raw)
    if moment is None:
        errors["expired_at"] = INVALID
    elif moment <= now + EXPIRY_LEAD:
        errors["expired_at"] = "must be bigger than 15 minutes from the current time"
    return moment


def _amount(body: Json, method: Method, errors: dict[str, str]) -> int:
    raw = body.get("amount")
    if raw is None and method.amount_optional:
        raw = _original_amount(body)
    amount = decimal_of(raw)
    minor = None if amount is None else minor_of(amount, method.currency)
    if raw is None:
        errors["amount"] = BLANK
    elif amount is None:
        errors["amount"] = "is not a number"
    elif amount <= 0:
        errors["amount"] = "must be greater than 0"
    elif minor is None:
        errors["amount"] = f"has too many decimals for {method.currency}"
    return minor or 0


def _original_amount(body: Json) -> Decimal | None:
    """Quote a USDC payin one to one when the amount is left out."""
    params = body.get("payin_method_params")
    return decimal_of(params.get("original_amount")) if isinstance(params, dict) else None


def _currency(body: Json, method: Method, errors: dict[str, str]) -> None:
    currency = text_of(body, "currency")
    if currency and currency not in {known.currency for known in METHODS.values()}:
        errors["currency"] = INVALID
    elif currency and currency != method.currency:
        errors["currency"] = f"is not supported by {method.name}"


def _params(body: Json, method: Method, errors: dict[str, str]) -> None:
    params = body.get("payin_method_params")
    if not isinstance(params, dict):
        errors["payin_method_params"] = BLANK if params is None else INVALID
        return
    lacking = [{name: BLANK for name in names if not _present(params, name)} for names in method.params]
    fewest = min(len(names) for names in lacking)
    errors.update(next(names for names in lacking if len(names) == fewest))


def _return_url(body: Json) -> str:
    """Take `callback_url` for the page that the customer returns to (contract T-33)."""
    params = body.get("payin_method_params")
    return text_of(params, "callback_url") if isinstance(params, dict) else ""


def _present(params: Json, name: str) -> bool:
    if name in NUMERIC_PARAMS:
        return isinstance(params.get(name), int | Decimal) and not isinstance(params.get(name), bool)
    return bool(text_of(params, name))
