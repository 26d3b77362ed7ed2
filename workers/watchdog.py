"""The watchdog: a worker that is alive and deaf ends itself, so that its supervisor starts it again."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections import Counter
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Signs = Mapping[str, int]

LOOP = "loop"
LOOKS = 10  # within the patience; a part is silent when none of so many in a row saw a sign of life
FRAMES_SHOWN = 12
EXIT_STATUS = 70  # EX_SOFTWARE: neither an orderly end nor a kill

log = structlog.get_logger(__name__)


class Silence:
    """Counts the looks in a row at which a part gave no sign of life.

    Looks are counted and not seconds: a process that was suspended, or starved by its machine, was not looked at
    meanwhile and is not to blame.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._missed: Counter[str] = Counter()

    def look(self, signs: Signs, *, excused: Callable[[str], bool]) -> list[str]:
        """Once a part was silent at the last LOOKS looks: it and those that were so for half as long.

        Who stands still takes others along, and on a slow machine not all of them had just given a sign.

        `signs` rise with each sign of life. A part that has a reason for its silence is `excused` and begins to
        count anew; only those that are silent are asked for one.
        """
        for part, sign in signs.items():
            is_silent = self._last.get(part) == sign
            self._missed[part] = self._missed[part] + 1 if is_silent and not excused(part) else 0
            self._last[part] = sign
        is_over = any(self._missed[part] >= LOOKS for part in signs)
        return [part for part in signs if self._missed[part] >= LOOKS // 2] if is_over else []


class Watchdog:
    """Looks at the event loop and the parts of a worker from a thread of its own.

    `signs` is called in that thread; `beat` asks the loop for its sign, `answers` whether what a part depends on
    answers from outside just now: where it does not, the part may be silent for as long as it likes.
    """

    def __init__(
        self,
        *,
        patience_s: float,
        beat: Callable[[Callable[[], None]], None],
        loop_thread: Callable[[], int | None],
        signs: Callable[[], Signs],
        answers: Callable[[str], bool],
        end: Callable[[], None],
    ) -> None:
        self._every_s = patience_s / LOOKS
        self._patience_s = patience_s
        self._beat = beat
        self._loop_thread = loop_thread
        self._signs = signs
        self._answers = answers
        self._end = end
        self._silence = Silence()
        self._beats = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(self._every_s):
            self._beat(self._count_beat)
            silent = self._silence.look({LOOP: self._beats, **self._signs()}, excused=self._is_excused)
            if silent and not self._stopping.is_set():
                # Where the loop stands is why it, or a part on it, is silent.
                where = stack_of(self._loop_thread())
                log.critical("watchdog.silent", parts=silent, for_s=self._patience_s, loop_stands_in=where)
                self._end()
                return

    def _count_beat(self) -> None:
        self._beats += 1

    def _is_excused(self, part: str) -> bool:
        return part != LOOP and not self._answers(part)


def stack_of(thread_id: int | None) -> list[str]:
    """Where a thread is now, innermost last: files, lines and functions, no values."""
    frame = sys._current_frames().get(thread_id) if thread_id is not None else None  # noqa: SLF001 - there is no other
    stack = traceback.extract_stack(frame)[-FRAMES_SHOWN:] if frame else []
    return [f"{each.filename}:{each.lineno} {each.name}" for each in stack]


def end_process() -> None:
    """End at once and not well: nothing is drained or handed back, leases run out, others go on."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(EXIT_STATUS)
