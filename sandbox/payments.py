"""A payment as the provider keeps it, and which way its status may move (contract 3.5)."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ALPHABET = string.ascii_uppercase + string.digits
PAY_BY_LEAD = timedelta(minutes=1)

MOVES: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"authorised", "waiting", "received", "expired", "failed"}),
    "authorised": frozenset({"waiting", "expired", "failed"}),
    "waiting": frozenset({"received", "return_pending", "in_dispute"}),
    "received": frozenset({"return_pending", "in_dispute"}),
    "expired": frozenset({"waiting", "received"}),
    "failed": frozenset({"waiting", "received"}),
    "return_pending": frozenset(
        {"return_received", "partially_refunded", "return_rejected", "return_expired", "received"}
    ),
    "return_received": frozenset({"return_pending"}),
    "partially_refunded": frozenset({"return_pending", "in_dispute"}),
    "return_rejected": frozenset({"received", "return_pending"}),
    "return_expired": frozenset({"received", "return_pending"}),
    "in_dispute": frozenset({"received", "dispute_lost", "return_pending"}),
    "dispute_lost": frozenset(),
}

# From where a merchant may ask for a refund over the API; the provider's staff may do more.
REFUNDABLE: Mapping[str, frozenset[str]] = {
    "card": frozenset({"waiting", "received", "partially_refunded"}),
    **dict.fromkeys(("payin", "payid", "gateway_link"), frozenset({"received", "return_received"})),
}


class IllegalMoveError(Exception):
    """The payment's status does not allow this."""

    def __init__(self, status: str, wanted: str) -> None:
        """Keep both statuses."""
        super().__init__(f"a payment that is {status} cannot become {wanted}")
        self.status, self.wanted = status, wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One attempt to hand over a webhook; `answer` is the HTTP status, None if there was none."""

    at: str
    status: str
    attempt: int
    answer: int | None
    error: str | None


@dataclass(kw_only=True, slots=True)
class Payment:
    """A payment of any flow; only deeds change it.

    `uuid` is the sandbox's own key. Payins and cards show it to the merchant, the v1 flows show `number`.
    """

    uuid: str
    flow: str
    number: int = 0
    app_id: str
    external_id: str
    currency: str
    amount_minor: int
    name: str
    email: str
    method: str
    created_at: datetime
    expires_at: datetime
    description: str = ""
    gst: bool = False
    gst_minor: int = 0
    status: str = "pending"
    stage: str | None = "normal_stage"
    pay_code: dict[str, str] | None = None
    pay_id: str = ""
    nonce: str = ""
    link_token: str = field(default="", repr=False)
    return_url: str = ""
    token_id: str = ""
    token_type: str = ""
    is_refundable: bool = True
    captured: bool = False
    paid_minor: int = 0
    paid_at: datetime | None = None
    refunds: int = 0
    refund_asked_at: datetime | None = None
    refunding_minor: int = 0
    refunded_minor: int = 0
    refund_reason: str = ""
    endpoint_url: str = ""
    authorization_header: str = field(default="", repr=False)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def total_minor(self) -> int:
        """The amount to pay: tax comes on top."""
        return self.amount_minor + self.gst_minor

    @property
    def id(self) -> int | str:
        """The id that the merchant sees."""
        return self.number or self.uuid

    @property
    def pay_by(self) -> datetime:
        """The earlier of a PayID's two deadlines (provider page *Create One-Time PayID*)."""
        return self.expires_at - PAY_BY_LEAD

    @property
    def due_minor(self) -> int:
        """What is still to be paid; negative if too much was paid."""
        return self.total_minor - self.paid_minor

    @property
    def left_minor(self) -> int:
        """What was paid and not yet returned."""
        return self.paid_minor - self.refunded_minor

    @property
    def can_be_refunded(self) -> bool:
        """Whether the merchant may ask for a refund now."""
        return self.is_refundable and self.left_minor > 0 and self.status in REFUNDABLE[self.flow]

    def move(self, wanted: str) -> None:
        """Take the status `wanted`; raises IllegalMoveError if the graph has no such way."""
        if wanted not in MOVES[self.status]:
            raise IllegalMoveError(self.status, wanted)
        self.status = wanted


def new_uuid(length: int) -> str:
    """Make an id in the provider's shape: upper-case letters and digits, not RFC 4122."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
