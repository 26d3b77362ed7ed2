"""Plays the customers, the bank and the provider's staff: through the control API of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

from orchestrator.errors import PayorchError
from orchestrator.money import to_major
from workers.cli.demo_model import Deed

if TYPE_CHECKING:
    from types import TracebackType

    from workers.cli.demo_model import Order

# What a deed is to the sandbox, where not its own name; who abandons a payment lets its time run out.
ACTIONS: dict[Deed, tuple[str, ...]] = {Deed.ABANDON: ("abandon", "expire"), Deed.REFUND_SOME: ("refund",)}
TOKEN_PATH = "/api/v1/payment_gateways/access_token"  # noqa: S105  # a path


class SandboxError(PayorchError):
    """The sandbox did not let happen what the scenario wants."""


class SandboxControl:
    """The control API of a sandbox; a context manager."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False, timeout=10)

    def play(self, deed: Deed, order: Order) -> None:
        """Let it happen to the order's payment; raises SandboxError."""
        found = self._rows("payments", "payments", external_id=order.intent_id)
        if len(found) != 1:
            raise SandboxError(f"{order.intent_id} has {len(found)} payments at the provider")
        for action in ACTIONS.get(deed, (str(deed),)):
            self._post(f"/payments/{found[0]['uuid']}/{action}", _details(deed, order))

    def order_fault(self, order: Order) -> None:
        """Let go wrong what the scenario wants of this payment; raises SandboxError."""
        fault = order.scenario.fault
        if fault is not None:
            self._post("/faults", {**fault, "match": {"external_id": order.intent_id}})

    def ledger(self) -> list[dict[str, Any]]:
        """What the provider has really done, in order."""
        return self._rows("ledger", "entries")

    def token_calls(self) -> int:
        """How often an access token was fetched."""
        return len(self._rows("requests", "requests", path=TOKEN_PATH))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _post(self, path: str, body: dict[str, Any]) -> None:
        reply = self._client.post(path, json=body)
        if reply.status_code != httpx.codes.OK:
            raise SandboxError(f"{path} was answered {reply.status_code}: {reply.text[:200]}")

    def _rows(self, name: str, field: str, **wanted: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.get(f"/{name}", params=wanted).raise_for_status().json()[field]
        return rows


def _details(deed: Deed, order: Order) -> dict[str, Any]:
    if deed is not Deed.REFUND_SOME:
        return {}
    some_minor = order.share_minor(order.scenario.returned_percent)
    return {"amount": str(to_major(some_minor, str(order.intent["currency"])))}
