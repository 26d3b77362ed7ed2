"""The worker, and in it a defect that begins when a file named PORT-DEFECT is in the working directory.

For tests only: nothing of this is in the program itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from workers.app import app
from workers.reconcile import Reconciler
from workers.relay import Relay
from workers.stream_intake import StreamIntake

__all__ = ["app"]

FOR_EVER_S = 3600


def has(defect: str) -> bool:
    return Path(f"{os.environ['PAYORCH_WORKER_PORT']}-{defect}").exists()


async def _claim(self: Any, shards: Any, claim: Any = Reconciler._claim) -> None:
    if has("loop-stands-still"):
        time.sleep(FOR_EVER_S)
    if has("claims-nothing"):
        await asyncio.sleep(FOR_EVER_S)
    await claim(self, shards)


async def _read_once(self: Any, read: Any = StreamIntake._read_once) -> None:
    if has("reads-nothing"):
        await asyncio.sleep(FOR_EVER_S)
    await read(self)


def _round(self: Any, turn: Any = Relay._round) -> None:
    if has("relays-nothing"):
        time.sleep(FOR_EVER_S)
    turn(self)


Reconciler._claim = _claim  # type: ignore[method-assign]
StreamIntake._read_once = _read_once  # type: ignore[method-assign]
Relay._round = _round  # type: ignore[method-assign]
