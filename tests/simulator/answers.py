"""Commands: each one that was taken off the queue is carried out, or refused with a dead letter of its own (I2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.identity import PaymentKey, shard_of
from orchestrator.payment import OperationState, refund_name

if TYPE_CHECKING:
    from tests.simulator.world import World

_IS_CANCELED = b'"status":"canceled"'


def unanswered(world: World) -> list[tuple[str, str]]:
    """The commands of which nobody ever heard again."""
    found = []
    for fields in world.stream.acknowledged:
        command = _read(fields.get(b"command"))
        if command is not None and not _is_refused(world, command) and not _is_done(world, command):
            found.append(("I2", f"{command['command']} {command['command_id']} is neither carried out nor refused"))
    return found


def _read(body: bytes | None) -> dict[str, Any] | None:
    return json.loads(body) if body else None


def _is_refused(world: World, command: dict[str, Any]) -> bool:
    refusal_id = f"refusal/{command['merchant']}/{command['command_id']}"
    return any(letter.refusal_id == refusal_id for letter in world.store.dead_letters)


def _is_done(world: World, command: dict[str, Any]) -> bool:
    key = PaymentKey(merchant=command["merchant"], intent_id=command["intent_id"])
    payment = world.checks.payment(key)
    if payment is None or command["command_id"] not in payment.commands:
        return False
    if command["command"] == "cancel":
        events = world.store.events(shard_of(key, shards=world.store.shards))
        return any(_IS_CANCELED in event and f'"{key}:'.encode() in event for event in events)
    if command["command"] == "refund":
        refund = payment.operations.get(refund_name(command["refund_id"]))
        return refund is not None and refund.state is not OperationState.REFUSED
    return command["command"] in payment.operations
