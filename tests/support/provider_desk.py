"""The desk of the provider's stand-in: plays customers, orders faults, reads what was really done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable


class ProviderDesk:
    """The control API of a running sandbox; its ledger is the judge of "made twice"."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/_sandbox", timeout=30)

    def close(self) -> None:
        self._client.close()

    def ledger(self, **wanted: str) -> list[dict[str, Any]]:
        """What was done, in order."""
        return self._rows("ledger", "entries", wanted)

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """What was asked, in order."""
        return self._rows("requests", "requests", wanted)

    def counts(self, kind: str) -> Counter[str]:
        """How often something was done, by external id."""
        return Counter(entry["external_id"] for entry in self.ledger(kind=kind))

    def uuids(self) -> dict[str, str]:
        """The payments by their external id; a second payment of one id is an error."""
        payments = self._rows("payments", "payments", {})
        uuids = {payment["external_id"]: payment["uuid"] for payment in payments}
        assert len(uuids) == len(payments), "an external id has two payments"
        return uuids

    def act(self, intent_id: str, action: str, **options: Any) -> None:
        """Play the customer or the bank."""
        reply = self._client.post(f"/payments/{self.uuids()[intent_id]}/{action}", json=options)
        assert reply.status_code == 200, reply.text

    def act_on_all(self, intent_ids: Iterable[str], action: str) -> None:
        """Play the same for many."""
        uuids = self.uuids()
        for intent_id in intent_ids:
            reply = self._client.post(f"/payments/{uuids[intent_id]}/{action}", json={})
            assert reply.status_code == 200, reply.text

    def fault(self, name: str, *, times: int = 1, options: dict[str, Any] | None = None, **match: str) -> None:
        """Order a fault for what matches."""
        body = {"fault": name, "match": match, "times": times, **(options or {})}
        reply = self._client.post("/faults", json=body)
        assert reply.status_code == 200, reply.text

    def clear_faults(self) -> None:
        self._client.delete("/faults")

    def change(self, **settings: Any) -> None:
        """Change the sandbox's settings."""
        reply = self._client.post("/settings", json=settings)
        assert reply.status_code == 200, reply.text

    def revoke_tokens(self) -> None:
        """Let no access token be accepted any more."""
        assert self._client.post("/tokens/revoke").status_code == 200

    def release_webhooks(self, *, backwards: bool = False) -> int:
        """Send the webhooks that were held; returns how many."""
        return int(self._client.post("/webhooks/release", json={"backwards": backwards}).json()["released"])

    def deliveries(self, intent_id: str) -> list[dict[str, Any]]:
        """The webhooks of a payment and how they were answered."""
        (payment,) = self._rows("payments", "payments", {"external_id": intent_id})
        deliveries: list[dict[str, Any]] = payment["deliveries"]
        return deliveries

    def _rows(self, name: str, field: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        reply = self._client.get(f"/{name}", params=wanted)
        reply.raise_for_status()
        rows: list[dict[str, Any]] = reply.json()[field]
        return rows
