"""The one source of chance of a run: the same seed, the same run."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ItemT = TypeVar("ItemT")


class Dice:
    """Draws from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.fraction = self._random.random  # 0 <= x < 1
        self._named = 0

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens; a probability of 0 draws nothing."""
        return probability > 0 and self.fraction() < probability

    def between(self, low: float, high: float) -> float:
        """A number of this range, each as likely."""
        return low + (high - low) * self.fraction()

    def skewed(self, low: float, high: float) -> float:
        """A number of this range, each order of magnitude as likely; `low` must be positive."""
        return float(low * (high / low) ** self.fraction())

    def count(self, low: int, high: int) -> int:
        """A whole number of this range, both ends included."""
        return low + int(self.fraction() * (high - low + 1))

    def pick(self, items: Sequence[ItemT]) -> ItemT:
        """One of these."""
        return items[int(self.fraction() * len(items))]

    def weighed(self, weights: Mapping[ItemT, float]) -> ItemT:
        """One of these, by weight."""
        left = self.fraction() * sum(weights.values())
        items = list(weights)
        for item in items[:-1]:
            left -= weights[item]
            if left < 0:
                return item
        return items[-1]

    def new_id(self) -> str:
        """An id that no other draw of this run gives."""
        self._named += 1
        return f"{self._named:x}.{int(self.fraction() * 0xFFFFFFFF):08x}"
