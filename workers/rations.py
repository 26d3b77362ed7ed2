"""How many payments of a merchant are worth a claim while its calls must wait."""

from __future__ import annotations

import random
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.ports import Limiter

TRICKLE = 4  # a tick, of a merchant that may not call at all: deadlines pass there too
SPARE = 1  # a tick, beyond what the limit lets through: so that a refusal shows that it is still needed


class Rations:
    """Shared out anew at each tick, to shards by chance; what a shard was given is claimed there once."""

    def __init__(self, limiter: Limiter, *, shards: int) -> None:
        self._limiter = limiter
        self._shards = shards
        self._given: Counter[tuple[int, str]] = Counter()

    def share_out(self, *, tick_s: float) -> None:
        """What each merchant may have within the tick."""
        self._given.clear()
        for merchant, calls_per_s in self._limiter.rationed().items():
            number = ceil(calls_per_s * tick_s) + SPARE if calls_per_s else TRICKLE
            everywhere, left = divmod(number, self._shards)
            for shard in range(self._shards) if everywhere else ():
                self._given[shard, merchant] += everywhere
            for shard in random.sample(range(self._shards), left):
                self._given[shard, merchant] += 1

    def take(self, shard: int) -> Mapping[str, int]:
        """For a claim in this shard: the merchants on a ration, and what is left of theirs there."""
        return {merchant: self._given.pop((shard, merchant), 0) for merchant in self._limiter.rationed()}
