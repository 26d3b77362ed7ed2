"""An audit's memory is bounded: what is stored is looked through in slices, each with few enough events."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.identity import PaymentKey

EVENTS_AT_ONCE = 50_000  # about 50 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Some shards, or one part of a shard whose log alone is too long."""

    shards: tuple[int, ...]
    part: int = 0
    parts: int = 1

    def takes(self, key: PaymentKey, shard: int) -> bool:
        """Whether the payment, of this shard, belongs to the slice."""
        return shard in self.shards and zlib.crc32(str(key).encode()) % self.parts == self.part


def slices_of(lengths: Sequence[int], *, most: int = EVENTS_AT_ONCE) -> Iterator[Slice]:
    """Every payment is in exactly one slice; `lengths` are the numbers of events of the shards' logs."""
    together: list[int] = []
    for shard, length in enumerate(lengths):
        if together and sum(lengths[each] for each in together) + length > most:
            yield Slice(shards=tuple(together))
            together = []
        if length > most:
            parts = -(-length // most)
            yield from (Slice(shards=(shard,), part=part, parts=parts) for part in range(parts))
        else:
            together.append(shard)
    if together:
        yield Slice(shards=tuple(together))
