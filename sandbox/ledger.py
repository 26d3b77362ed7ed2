"""What the sandbox really did and what it was asked, in order, never changed afterwards."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sandbox.clock import Clock
from sandbox.dates import with_z
from sandbox.money import major_of
from sandbox.payments import Payment


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One deed: `amount` in major units as text, `amount_minor` the same in minor units; `id` is the merchant's."""

    seq: int
    at: str
    kind: str
    flow: str
    uuid: str
    id: int | str
    external_id: str
    app_id: str
    amount: str
    amount_minor: int
    currency: str


@dataclass(kw_only=True, slots=True)
class Request:
    """One HTTP request to the provider's API; `status` stays None as long as no answer was sent."""

    seq: int
    at: str
    method: str
    path: str
    app_id: str
    external_id: str
    uuid: str
    status: int | None = None
    fault: str | None = None


class Ledger:
    """The ground truth for "made twice" checks."""

    def __init__(self, *, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self.entries: list[Entry] = []
        self.requests: list[Request] = []

    def write(self, kind: str, payment: Payment, amount_minor: int | None = None) -> None:
        """Append a deed; the amount is the payment's total unless given."""
        minor = payment.total_minor if amount_minor is None else amount_minor
        self.entries.append(
            Entry(
                seq=len(self.entries) + 1,
                at=with_z(self._clock.now()),
                kind=kind,
                flow=payment.flow,
                uuid=payment.uuid,
                id=payment.id,
                external_id=payment.external_id,
                app_id=payment.app_id,
                amount=str(major_of(minor, payment.currency)),
                amount_minor=minor,
                currency=payment.currency,
            )
        )

    def saw(self, *, method: str, path: str, app_id: str, external_id: str, uuid: str) -> Request:
        """Append a request; its answer is filled in when it is sent."""
        request = Request(
            seq=len(self.requests) + 1,
            at=with_z(self._clock.now()),
            method=method,
            path=path,
            app_id=app_id,
            external_id=external_id,
            uuid=uuid,
        )
        self.requests.append(request)
        return request


def matching(rows: Iterable[Entry | Request], wanted: dict[str, str]) -> list[dict[str, object]]:
    """Return the rows as JSON objects whose fields equal all of `wanted`."""
    found = (asdict(row) for row in rows)
    return [row for row in found if all(str(row.get(key)) == value for key, value in wanted.items())]
