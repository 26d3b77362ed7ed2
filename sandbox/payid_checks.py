"""The provider's checks of a PayID create call: provider page *Create One-Time PayID*, contract 1.4."""

import re
from datetime import datetime

from sandbox.dates import parse_moment
from sandbox.money import decimal_of, minor_of
from sandbox.orders import PayidOrder, text_of
from sandbox.payin_checks import BLANK, EXPIRY_LEAD, INVALID, check_gst, check_notification
from sandbox.replies import Json, RefusalError

# As the page writes them, but for the anchors: `$` would let a final newline pass (contract T-32).
EMAILS = re.compile(r"([a-z0-9_\-\.]+)@([a-z]+)\.([a-z]+)(,[a-z0-9_\-\.]+@[a-z]+\.([a-z]+))*")
PREFIX = re.compile(r"[a-z0-9]{3,35}")
CURRENCY = "AUD"
NOTIFICATION = "payment_request_notification"


def check_payid(body: Json, *, now: datetime) -> PayidOrder:
    """Return the order; raises RefusalError(422) that names every wrong field."""
    errors: dict[str, str] = {key: BLANK for key in ("name", "description") if not text_of(body, key)}
    if body.get(NOTIFICATION) is None:
        errors[NOTIFICATION] = BLANK
    order = PayidOrder(
        amount_minor=check_amount(body, errors),
        gst=check_gst(body, errors),
        name=text_of(body, "name"),
        emails=_matching(body, "emails", EMAILS, errors, required=True),
        description=text_of(body, "description"),
        prefix=_matching(body, "prefix_static_payid", PREFIX, errors, required=False),
        external_id=text_of(body, "external_id"),
        notification=check_notification(body, errors, required=True, key=NOTIFICATION),
        expires_at=_expiry(body, now, errors),
    )
    if errors:
        raise RefusalError(422, dict(errors))
    return order


def check_amount(body: Json, errors: dict[str, str]) -> int:
    """Return the amount in cents of AUD; the v1 pages know numbers only, in major units."""
    raw = body.get("amount")
    amount = None if isinstance(raw, str) else decimal_of(raw)
    minor = None if amount is None else minor_of(amount, CURRENCY)
    if raw is None:
        errors["amount"] = BLANK
    elif amount is None:
        errors["amount"] = "is not a number"
    elif amount <= 0:
        errors["amount"] = "must be greater than 0"
    elif minor is None:
        errors["amount"] = f"has too many decimals for {CURRENCY}"
    return minor or 0


def _matching(body: Json, key: str, pattern: re.Pattern[str], errors: dict[str, str], *, required: bool) -> str:
    raw = body.get(key)
    if raw is None or raw == "":
        if required:
            errors[key] = BLANK
        return ""
    if not isinstance(raw, str) or not pattern.fullmatch(raw):
        errors[key] = INVALID
        return ""
    return raw


def _expiry(body: Json, now: datetime, errors: dict[str, str]) -> datetime | None:
    """Read `expired_at`: at least 15 minutes ahead, where a payin wants more than that (contract T-30)."""
    raw = body.get("expired_at")
    if raw is None:
        return None
    moment = parse_moment(raw)
    if moment is None:
        errors["expired_at"] = INVALID
    elif moment < now + EXPIRY_LEAD:
        errors["expired_at"] = "should be at least 15 minutes from the current time"
    return moment
