"""Plays the customers, the provider's side only: through the control API of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

from orchestrator.errors import PayorchError
from workers.cli.demo_scenarios import Deed

if TYPE_CHECKING:
    from types import TracebackType

# What each deed is to the sandbox; who abandons a payment lets its time run out.
ACTIONS: dict[Deed, tuple[str, ...]] = {
    Deed.NOTHING: (),
    Deed.PAY: ("pay",),
    Deed.DECLINE: ("decline",),
    Deed.ABANDON: ("abandon", "expire"),
}


class SandboxError(PayorchError):
    """The sandbox did not let the customer do what the scenario wants."""


class SandboxControl:
    """The control API of a sandbox; a context manager."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def play(self, deed: Deed, uuid: str) -> None:
        """Let the customer of this payment act; raises SandboxError."""
        for action in ACTIONS[deed]:
            reply = self._client.post(f"/_sandbox/payments/{uuid}/{action}")
            if reply.status_code != httpx.codes.OK:
                raise SandboxError(f"{action} of {uuid} was answered {reply.status_code}: {reply.text[:200]}")

    def ledger(self) -> list[dict[str, Any]]:
        """What the provider has really done, in order."""
        entries: list[dict[str, Any]] = self._client.get("/_sandbox/ledger").raise_for_status().json()["entries"]
        return entries

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
