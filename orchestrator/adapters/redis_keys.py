"""Every name the store uses in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.identity import PaymentKey, shard_of
from orchestrator.rules import CREDENTIALS_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

_THREE_DIGITS_FROM = 101


class RedisKeys:
    """Names under a namespace; all names of a shard carry its hash tag and so share one cluster slot."""

    def __init__(self, *, namespace: str, shards: int = 64) -> None:
        self.shards = shards
        self._root = f"{namespace}payorch:"
        self._width = 3 if shards >= _THREE_DIGITS_FROM else 2
        self.bell = f"{self._root}bell"
        self.shard_count = f"{self._root}shards"
        self.dead_letters = f"{self._root}deadletters"
        self.audit = f"{self._root}audit"
        self.refusals_seen = f"{self._root}{{{self.dead_letters}}}:seen"
        self.refusal_events = f"{self._root}{{{self.dead_letters}}}:events"
        self.any_payment = f"{self._root}{{s*}}:payment:*"
        self.ever_paused = f"{self._root}paused"

    def shard(self, key: PaymentKey) -> int:
        """The shard a payment lives in."""
        return shard_of(key, shards=self.shards)

    def prefix(self, shard: int) -> str:
        """What every name of a shard starts with, as in `payorch:{s07}:`."""
        return f"{self._root}{{s{shard:0{self._width}}}}:"

    def probe(self, shard: int) -> str:
        """What is written to learn whether the shard's server takes a write, and whether a replica has it."""
        return f"{self.prefix(shard)}probe"

    def events(self, shard: int) -> str:
        """The event log of a shard."""
        return f"{self.prefix(shard)}events"

    def merchants(self, shard: int) -> str:
        """The merchants that have payments in a shard."""
        return f"{self.prefix(shard)}merchants"

    def unclaimed(self, shard: int) -> str:
        """The ids of a shard that commands came for and no payment yet, by the time of the first one."""
        return f"{self.prefix(shard)}unclaimed"

    def tail(self, shard: int) -> tuple[str, str]:
        """The counter of a shard's commits, and when it was last found to have gone back."""
        return f"{self.prefix(shard)}commits", f"{self.prefix(shard)}lost"

    def suspects(self, shard: int) -> str:
        """The payments of a shard that a claim passed over because they must be taken alone."""
        return f"{self.prefix(shard)}suspects"

    def payment(self, key: PaymentKey) -> Sequence[str]:
        """The names a script of one payment may touch, in the order in which the scripts unpack them."""
        prefix = self.prefix(self.shard(key))
        return (
            f"{prefix}payment:{key}",
            f"{prefix}observations:{key}",
            f"{prefix}due:{key.merchant}",
            f"{prefix}merchants",
            f"{prefix}events",
            f"{prefix}commits",
            f"{prefix}tombstone:{key}",
            f"{prefix}orphans",
            f"{prefix}unclaimed",
            f"{prefix}lost",
        )

    def limit(self, account: str) -> Sequence[str]:
        """The names of an account's limit: the merchant's arrival time, looks, calls on the wire and pause, then the
        account's own pause and breaker.
        """
        merchant, _, currency = account.partition(CREDENTIALS_SEPARATOR)
        prefix = f"{self._root}{{limit:{merchant}}}:"
        own = f":{currency}" if currency else ""
        merchants = (f"{prefix}arrival", f"{prefix}looks", f"{prefix}wire", f"{prefix}pause")
        return (*merchants, f"{prefix}pause{own}", f"{prefix}breaker{own}")

    @staticmethod
    def key_of(payment_name: str) -> PaymentKey:
        """The payment whose hash has this name."""
        return PaymentKey.parse(payment_name.partition("}:payment:")[2])
