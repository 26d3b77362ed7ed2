"""What a flow is: its requests, its reads, its interpretation of the provider's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.dialect import Dialect
    from orchestrator.payment import Operation, Payment
    from orchestrator.policy import Policy
    from orchestrator.ports import ProviderRequest
    from orchestrator.sighting import Sighting, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """Where the provider sends its webhooks for one attempt, and the Authorization it sends with them."""

    endpoint_url: str
    authorization: str

    def body(self) -> dict[str, str]:
        """The object the provider's pages call `webhook_notification`."""
        return {"endpoint_url": self.endpoint_url, "authorization_header": self.authorization}


class Interpret(Protocol):
    """The provider's payment object as a sighting; never raises, unusable where it tells nothing."""

    def __call__(
        self,
        payment: Payment,
        body: object,
        *,
        source: Source,
        operation: str | None = None,
        allow_http: bool = False,
        dialect: Dialect = ...,
    ) -> Sighting: ...


class BuildCreate(Protocol):
    """The request of a create."""

    def __call__(self, payment: Payment, notification: Notification, dialect: Dialect = ..., /) -> ProviderRequest: ...


class BuildRequest(Protocol):
    """Any other request about a payment."""

    __name__: str

    def __call__(self, payment: Payment, dialect: Dialect = ..., /) -> ProviderRequest: ...


class BuildRefund(Protocol):
    """The request of a refund; the amount is always in it."""

    def __call__(self, payment: Payment, operation: Operation, dialect: Dialect = ..., /) -> ProviderRequest: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """How to look a payment up without its reference: pages of a list, filtered on our id."""

    request: Callable[[Payment, int, int, int], ProviderRequest]  # payment, from ms, to ms, page (from 1)


class Recreates(Protocol):
    """Whether a second create of this payment is harmless."""

    def __call__(self, payment: Payment, policy: Policy, /) -> bool: ...


def _never(_: Payment, __: Policy) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """One way to be paid at the provider."""

    name: str
    create: BuildCreate
    interpret: Interpret
    operations: Mapping[str, BuildRequest] = field(default_factory=dict)  # beside create
    refund: BuildRefund | None = None  # None: the provider documents none
    reads: tuple[BuildRequest, ...] = ()
    scan: Scan | None = None
    refusals_kept: frozenset[int] = frozenset()  # a 4xx whose cause nobody explains: it fails no payment
    with_access_token: bool = False  # the create is sent with a token, which may have been revoked
    recreates: Recreates = _never  # whether another create after a lost one harms nobody, for this payment
    lapses_by_our_clock: bool = False  # the provider never says that an unpaid one expired (T-20)


def full_name(payment: Payment) -> str:
    """The customer's name, else what there is of first and last name; a name is never split."""
    customer = payment.terms["customer"]
    parts = [part for part in (customer.get("first_name"), customer.get("last_name")) if part]
    return customer.get("name") or " ".join(parts)


def terms_of(payment: Payment) -> Mapping[str, Any]:
    """The method object the intent was accepted with."""
    method: Mapping[str, Any] = payment.terms["method"]
    return method
