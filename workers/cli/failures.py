"""What went wrong, as a sentence and an exit status."""

from __future__ import annotations

from orchestrator.adapters.subscriber import LOST
from orchestrator.errors import PayorchError
from workers.bootstrap import SettingsError
from workers.cli.screen import complain

FAILED = 1
MISUSED = 2


def explain(error: Exception) -> int:
    """Say it on standard error and return the status; an error that nobody foresaw is raised again."""
    if isinstance(error, SettingsError):
        complain(str(error))
        return MISUSED
    if isinstance(error, PayorchError):
        complain(str(error))
        return FAILED
    if isinstance(error, LOST) and not isinstance(error, AttributeError | TypeError):
        # Their own texts may hold addresses.
        complain(f"the broker cannot be reached ({type(error).__name__}); `payorch doctor` says more")
        return FAILED
    raise error
