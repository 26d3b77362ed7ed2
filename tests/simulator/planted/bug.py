"""A planted bug: a plausible mistake, the rule it breaks, and how it gets into the real code for a while."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from contextlib import AbstractContextManager

_OURS = ("orchestrator", "workers")
# The checkers keep to the real rules.
_NOT_PLANTED = (
    "orchestrator.agreement",
    "orchestrator.course",
    "orchestrator.invariants",
    "orchestrator.strides",
    "orchestrator.trail",
    "orchestrator.upkeep",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bug:
    """One mistake that somebody could make in good faith.

    `plant` puts it into the code that runs, anew for each run, and takes it out again. It raises AttributeError or
    KeyError where what it changes is not there any more.
    """

    name: str
    breaks: tuple[str, ...]  # the invariants by which it may be caught; being caught by another one does not count
    rule: str  # what holds without it
    mistake: str  # what was done instead
    plant: Callable[[], AbstractContextManager[None]]


@contextmanager
def attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute that the class or module itself has."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def item(mapping: MutableMapping[Any, Any], key: Any, value: Any) -> Iterator[None]:
    """Set an entry that the table has."""
    before = mapping[key]
    mapping[key] = value
    try:
        yield
    finally:
        mapping[key] = before


@contextmanager
def everywhere(module: Any, name: str, value: Any) -> Iterator[None]:
    """Set a module's attribute, in every module too that imported it by its name."""
    real = vars(module)[name]
    users = [
        known
        for known_as, known in list(sys.modules.items())
        if known_as.startswith(_OURS) and not known_as.startswith(_NOT_PLANTED) and vars(known).get(name) is real
    ]
    with ExitStack() as stack:
        for user in users:
            stack.enter_context(attribute(user, name, value))
        yield


@contextmanager
def together(*plants: AbstractContextManager[None]) -> Iterator[None]:
    """Several changes that make one mistake."""
    with ExitStack() as stack:
        for plant in plants:
            stack.enter_context(plant)
        yield


class Wrapped:
    """A port in which a mistake overrides some calls; all others are the real one's."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
