"""Minor units, exponents and the provider's numbers: the one place where a unit is converted."""

from __future__ import annotations

import re
from decimal import Decimal

from orchestrator.errors import PayorchError

AMOUNT_MAX = 2**53 - 1  # the largest integer that every JSON reader keeps exactly
USDC = "USDC"

_ISO_4217 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD "
    "LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP "
    "PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS: dict[str, int] = (
    dict.fromkeys(_ISO_4217.split(), 2)
    | dict.fromkeys(_WITHOUT_DECIMALS.split(), 0)
    | dict.fromkeys(_THREE_DECIMALS.split(), 3)
    | {"CLF": 4, "UYW": 4, USDC: 6}
)

_DIGITS_MAX = 24
_BITS_MAX = 80  # 24 digits
_NUMBER = re.compile(r"[0-9]{1,24}(\.[0-9]{1,12})?")


class AmountError(PayorchError):
    """A number of the provider's cannot be read as an amount without guessing."""


def to_major(amount_minor: int, currency: str) -> int | Decimal:
    """Minor units as the exact number in major units: an int where it is whole, else a Decimal (D-03, D-14)."""
    whole, rest = divmod(amount_minor, 10 ** EXPONENTS[currency])
    return Decimal(amount_minor).scaleb(-EXPONENTS[currency]).normalize() if rest else whole


def from_major(value: object, currency: str) -> int:
    """A provider's number in major units as minor units; raises AmountError where it has more places."""
    return _whole(parse_number(value).scaleb(EXPONENTS[currency]))


def from_minor(value: object) -> int:
    """A provider's number in minor units, tail `.0` allowed; raises AmountError where it is not whole."""
    return _whole(parse_number(value))


def parse_number(value: object) -> Decimal:
    """Read int, Decimal or plain numeric string (D-14); raises AmountError for anything that needs a guess."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        message = f"expected a number, got {type(value).__name__}"
        raise AmountError(message)
    text = value.strip() if isinstance(value, str) else _written(value)
    if not _NUMBER.fullmatch(text):
        message = "expected a plain non-negative decimal number"
        raise AmountError(message)
    return Decimal(text)


def _written(value: int | Decimal) -> str:
    """Digits without an exponent; empty where they would be more than any amount has."""
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _BITS_MAX else ""
    return format(value, "f") if value.is_finite() and abs(value.adjusted()) <= _DIGITS_MAX else ""


def _whole(value: Decimal) -> int:
    amount_minor = int(value)
    if value != amount_minor:
        message = "the amount has more decimal places than its currency"
        raise AmountError(message)
    if amount_minor > AMOUNT_MAX:
        message = "the amount is larger than 2^53-1 minor units"
        raise AmountError(message)
    return amount_minor


def with_gst(amount_minor: int) -> int | None:
    """The total with 10 % goods and services tax on top (D-05); None where it is not whole: nothing is rounded."""
    total, rest = divmod(amount_minor * 11, 10)
    return None if rest else total
