"""Whatever a test is about: no commit of the engine breaks an invariant, and every event fits its contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.codec import decode
from orchestrator.contracts import contract
from orchestrator.errors import StoreCorruptError
from orchestrator.invariants import Stored, broken_by_step
from tests.unit.engine.world import World

if TYPE_CHECKING:
    from orchestrator.adapters.memory_payment import StoredPayment
    from orchestrator.ports import Commit

EVENT = jsonschema.Draft202012Validator(contract("status-event"))


@pytest.fixture(autouse=True)
def every_commit_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each write of every world's store, as it happens."""
    make, write = World.__init__, MemoryStore._write

    def made(world: World, *arguments: Any, **options: Any) -> None:
        make(world, *arguments, **options)

        def checked(stored: StoredPayment, commit: Commit) -> None:
            before = _stored(world, stored)
            write(world.store, stored, commit)
            after = _stored(world, stored)
            if before is None or after is None:
                return  # a test that stores what no version can read
            now_ms = world.clock.now_ms()
            broken = broken_by_step(before, after, event=commit.event, policy=world.policy, now_ms=now_ms)
            assert broken == []
            if commit.event is not None:
                EVENT.validate(json.loads(commit.event))

        monkeypatch.setattr(world.store, "_write", checked)

    monkeypatch.setattr(World, "__init__", made)


def _stored(world: World, stored: StoredPayment) -> Stored | None:
    try:
        payment = decode(stored.body)
    except StoreCorruptError:
        return None
    due_at_ms = world.store.due(stored.key)
    return Stored(version=stored.version, sequence=stored.sequence, payment=payment, due_at_ms=due_at_ms)
