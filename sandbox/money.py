"""Amounts: integers of minor units inside, decimals in major units at the border."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "AUD",
            "USD",
            "NZD",
            "EUR",
            "GBP",
            "SGD",
            "HKD",
            "CAD",
            "PHP",
            "IDR",
            "MYR",
            "NGN",
            "ZAR",
            "GHS",
            "KES",
        ),
        2,
    ),
    **dict.fromkeys(("BRL", "THB", "INR", "CHF", "SEK", "NOK", "DKK", "AED"), 2),
    **dict.fromkeys(("VND", "JPY", "XAF", "XOF", "KRW"), 0),
    "USDC": 6,
}

DIGITS_MOST = 15
WHOLE_UNITS = frozenset({"VND", "JPY", "XAF", "XOF", "KRW", "IDR"})


def decimal_of(raw: object) -> Decimal | None:
    """Read a JSON number or a numeric string; None for anything else, also NaN and Infinity."""
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        return None
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= DIGITS_MOST else None


def minor_of(major: Decimal, currency: str) -> int | None:
    """Turn major units into minor units; None if the currency has no such fraction."""
    if currency in WHOLE_UNITS and major != major.to_integral_value():
        return None
    minor = major.scaleb(EXPONENTS[currency])
    return int(minor) if minor == minor.to_integral_value() else None


def major_of(minor: int, currency: str) -> Decimal:
    """Turn minor units into major units as the provider writes them: 1000.0, 12.5."""
    return with_tail(Decimal(minor).scaleb(-EXPONENTS[currency]))


def for_people(minor: int, currency: str) -> str:
    """Write an amount as a person reads it: AUD 12.50."""
    return f"{currency} {Decimal(minor).scaleb(-EXPONENTS[currency]):f}"


def with_tail(number: Decimal) -> Decimal:
    """Write a number with the provider's `.0` tail and without an exponent."""
    text = format(number, "f")
    whole, _, fraction = text.partition(".")
    return Decimal(f"{whole}.{fraction.rstrip('0') or '0'}")


def gst_minor_of(amount_minor: int) -> int:
    """Return the tax of 10 % on top, half a minor unit rounded up as a till does."""
    return (amount_minor + 5) // 10
