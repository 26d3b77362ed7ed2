"""What a worker asks of the shared limit once a block, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from orchestrator.ports import CallClass

BLOCK_MS = 100  # a permit that was not used for so long is void
HELD_MS = 60_000  # the slots of a worker that is gone are free again then; longer than any call lasts
FULL_WAIT_MS = 100  # when to ask again for a slot
CLASSES = tuple(CallClass)  # the order of the numbers below

Numbers = tuple[int, int, int]
NONE: Numbers = (0, 0, 0)


class Standing(IntEnum):
    """Why an account is given less than it asks for."""

    OPEN = 0  # by its rate, if at all
    PAUSED = 1
    BROKEN = 2
    FULL = 3  # as many calls are on the wire as there may be


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """For one account: how many wait in each class, how many more will soon, and what is on the wire from here."""

    account: str
    holder: str  # this process and the account: whose slots they are
    wanted: Numbers
    ahead: Numbers = NONE  # given only while half of everything is free, so that a guess costs nobody a call
    on_wire: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """How many calls may be begun within a block, and how long those who got none wait."""

    given: Numbers
    wait_ms: Numbers
    standing: Standing = Standing.OPEN
    failures: int = 0  # of the breaker: from one on, a success is worth telling
