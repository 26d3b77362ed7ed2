"""All planted bugs."""

from __future__ import annotations

from tests.simulator.planted import calling, judging, refunding, relaying, storing, working

BUGS = {bug.name: bug for part in (storing, calling, judging, refunding, working, relaying) for bug in part.BUGS}
