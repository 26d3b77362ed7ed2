"""Ties a program to the process that started it: `python leash.py PARENT_PID PROGRAM …` becomes the program.

Where the system can (Linux), the program is killed when its parent is gone, however that came; elsewhere only
an orderly end of the parent ends it. Runs by its path, with the standard library alone, so that it starts fast.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent_pid: int, program: list[str]) -> None:
    """Become the program; ends with 1 where the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # The parent may have ended before the wish was known to the system.
        if os.getppid() != parent_pid:
            raise SystemExit(1)
    os.execvp(program[0], program)  # noqa: S606  # the caller's own command line


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
