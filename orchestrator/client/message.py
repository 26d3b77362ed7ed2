"""What goes to the queue: a kind and the bytes of one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ItemT = TypeVar("ItemT")
WINDOW = 500  # messages that are confirmed together
_ROUTING_KEYS = {"intent": "intent.requested", "command": "intent.command"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """An intent or a command on its way in."""

    kind: Literal["intent", "command"]
    body: bytes

    @property
    def routing_key(self) -> str:
        """The key it is published with on RabbitMQ."""
        return _ROUTING_KEYS[self.kind]


def intent_message(intent: Mapping[str, object]) -> Message:
    """The intent as it is given; the worker validates it. Raises ValueError or TypeError if it is not JSON."""
    return Message(kind="intent", body=_dumped(intent))


def command_message(
    name: str, intent_id: str, *, merchant: str, command_id: str, fields: Mapping[str, object]
) -> Message:
    """A command of interface 1. Raises ValueError or TypeError if a field is not JSON."""
    who = {"command": name, "merchant": merchant, "intent_id": intent_id, "command_id": command_id}
    return Message(kind="command", body=_dumped({**fields, **who}))


def windows(items: Iterable[ItemT], size: int = WINDOW) -> Iterator[list[ItemT]]:
    """The items in lists of at most `size`, read as they are needed."""
    rest = iter(items)
    while window := list(islice(rest, size)):
        yield window


def _dumped(value: Mapping[str, object]) -> bytes:
    return json.dumps(dict(value), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
