"""What an operator may choose about the sandbox, read from the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation


class SandboxSettingsError(Exception):
    """A sandbox setting is missing or cannot be read; the text names the variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSettings:
    """The sandbox's settings; every `_s` but `webhook_timeout_s` and `token_s` is in seconds of the sandbox clock."""

    credentials: Mapping[str, str] = field(repr=False)
    speed: float = 1.0
    webhooks: bool = True
    latency_ms: int = 0
    settle_s: float = 4 * 3600.0
    payin_settle_s: float = 0.0
    pay_code_delay_s: float = 60.0
    expiry_s: float = 24 * 3600.0
    authorisation_s: float = 7 * 24 * 3600.0
    refund_s: float = 24 * 3600.0
    refund_expiry_s: float = 10 * 24 * 3600.0
    refunds: str = "finish"
    card_refund_status: str = "current"
    token_s: float = 3600.0
    webhook_retry_s: float = 900.0
    webhook_timeout_s: float = 5.0
    auth: str = "require"
    public_url: str = "https://pay.sandbox.example"
    not_found_status: int = 404
    card_reply_unit: str = "minor"
    payin_amounts: str = "number"
    detail_knows_cards: bool = False
    detail_knows_links: bool = False
    bank_list_knows_payids: bool = False
    unique_external_ids: bool = False
    require_contact: bool = False
    gateway: bool = True
    gateway_announces: tuple[str, ...] = ("received",)
    payin_announces: tuple[str, ...] = ("received", "return_pending", "return_received")
    default_webhook_url: str = ""
    default_webhook_authorization: str = field(default="", repr=False)


def from_environment(environment: Mapping[str, str]) -> SandboxSettings:
    """Read `SANDBOX_*`; raises SandboxSettingsError naming the variable that is missing or bad."""
    chosen: dict[str, object] = {
        name: read_setting(name, environment[variable])
        for name in READERS
        if (variable := variable_of(name)) in environment
    }
    return SandboxSettings(credentials=_credentials(environment), **chosen)  # type: ignore[arg-type]


def variable_of(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"SANDBOX_{name.upper()}"


def read_setting(name: str, raw: object) -> object:
    """Read one setting from text or JSON; raises SandboxSettingsError naming its variable."""
    reader = READERS.get(name)
    if reader is None:
        raise SandboxSettingsError(f"{name} is not a setting of the sandbox; known: {', '.join(sorted(READERS))}")
    try:
        return reader(raw)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise SandboxSettingsError(f"{variable_of(name)} cannot be read: {error}") from error


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in filter(None, environment.get("SANDBOX_CREDENTIALS", "").split(",")):
        app_id, colon, secret = item.strip().partition(":")
        if not (app_id and colon and secret):
            raise SandboxSettingsError("SANDBOX_CREDENTIALS must be app:secret,app2:secret2")
        pairs[app_id] = secret
    app_id, secret = environment.get("SANDBOX_APP_ID", ""), environment.get("SANDBOX_SECRET_KEY", "")
    if bool(app_id) != bool(secret) or not (app_id or pairs):
        raise SandboxSettingsError("SANDBOX_APP_ID and SANDBOX_SECRET_KEY (or SANDBOX_CREDENTIALS) are required")
    return {**pairs, **({app_id: secret} if app_id else {})}


def _number(raw: object) -> float:
    if isinstance(raw, bool):
        raise TypeError("a number is expected")
    number = Decimal(str(raw).strip())
    if not number.is_finite() or number < 0:
        raise ValueError("a number of zero or more is expected")
    return float(number)


def _switch(raw: object) -> bool:
    word = str(raw).strip().lower()
    known = {
        "on": True,
        "true": True,
        "1": True,
        "yes": True,
        "off": False,
        "false": False,
        "0": False,
        "no": False,
    }
    if word not in known:
        raise ValueError("on or off is expected")
    return known[word]


def _one_of(*words: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        if str(raw) not in words:
            raise ValueError(f"one of {', '.join(words)} is expected")
        return str(raw)

    return read


def _whole(raw: object) -> int:
    return int(_number(raw))


def _status_code(raw: object) -> int:
    return int(_one_of("400", "404", "422")(str(raw)))


def _words(raw: object) -> tuple[str, ...]:
    items = raw if isinstance(raw, list) else str(raw).split(",")
    return tuple(str(item).strip() for item in items if str(item).strip())


READERS: Mapping[str, Callable[[object], object]] = {
    "speed": _number,
    "webhooks": _switch,
    "latency_ms": _whole,
    "settle_s": _number,
    "payin_settle_s": _number,
    "pay_code_delay_s": _number,
    "expiry_s": _number,
    "authorisation_s": _number,
    "refund_s": _number,
    "refund_expiry_s": _number,
    "refunds": _one_of("finish", "reject", "hang", "refuse"),
    "card_refund_status": _one_of("current", "earlier"),
    "token_s": _number,
    "webhook_retry_s": _number,
    "webhook_timeout_s": _number,
    "auth": _one_of("require", "reject"),
    "public_url": str,
    "not_found_status": _status_code,
    "card_reply_unit": _one_of("minor", "major"),
    "payin_amounts": _one_of("number", "string"),
    "detail_knows_cards": _switch,
    "detail_knows_links": _switch,
    "bank_list_knows_payids": _switch,
    "unique_external_ids": _switch,
    "require_contact": _switch,
    "gateway": _switch,
    "gateway_announces": _words,
    "payin_announces": _words,
    "default_webhook_url": str,
    "default_webhook_authorization": str,
}
