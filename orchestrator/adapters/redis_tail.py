"""What was seen of each shard's counter of commits: one that went back tells that writes were lost (I1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TailLost:
    """Writes that Redis had confirmed are gone from this shard, and it is known since then."""

    shard: int
    at_ms: int


class RedisTail:
    """The highest counter that this process was told, by shard; scripts compare theirs with it."""

    def __init__(self, shards: int) -> None:
        self._seen = [0] * shards
        self._lost_at_ms: list[int | None] = [None] * shards

    def seen(self, shard: int) -> int:
        """What the counter must not be lower than."""
        return self._seen[shard]

    def learn(self, shard: int, commits: int, lost_at_ms: int) -> TailLost | None:
        """Remember what a script told; the loss where it is news, and not one of before our time."""
        self._seen[shard] = max(self._seen[shard], commits)
        known_ms, self._lost_at_ms[shard] = self._lost_at_ms[shard], lost_at_ms
        is_news = known_ms is not None and lost_at_ms > known_ms
        return TailLost(shard=shard, at_ms=lost_at_ms) if is_news else None
