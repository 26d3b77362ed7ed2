"""Commands for ids that are not stored: kept for a while, then refused (interface 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import RefusedError
from orchestrator.observation import CommandSeen, decode_observation
from orchestrator.refuse import refuse_command

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.ports import Unclaimed

KEPT_MS = 60_000


async def refuse_unclaimed(shard: int, *, engine: Engine) -> None:
    """Refuse the commands of a shard whose payment did not come within a minute; may be repeated by anyone."""
    before_ms = engine.clock.now_ms() - KEPT_MS
    for unclaimed in await engine.store.unclaimed(shard, before_ms=before_ms):
        await _refuse(unclaimed, before_ms, engine)


async def _refuse(unclaimed: Unclaimed, before_ms: int, engine: Engine) -> None:
    seen = [(stored, decode_observation(stored)) for stored in unclaimed.observations]
    commands = [(stored, command) for stored, command in seen if isinstance(command, CommandSeen)]
    old = [(stored, command) for stored, command in commands if command.at_ms <= before_ms]
    rest_at_ms = min((command.at_ms for _, command in commands if command.at_ms > before_ms), default=None)
    unknown = RefusedError("unknown_intent", f"No payment {unclaimed.key} came within a minute.", field="intent_id")
    # Told before they are forgotten, so that a crash in between tells again and loses no answer.
    if await engine.store.load(unclaimed.key) is None:
        for _, command in old:
            await refuse_command(command, unknown, engine=engine)
        await engine.store.forget(unclaimed.key, [stored for stored, _ in old], rest_at_ms=rest_at_ms)
