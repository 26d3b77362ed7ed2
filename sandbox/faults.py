"""Faults on demand: which request or webhook is to go wrong, how and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.replies import Json

REQUEST_FAULTS = frozenset(
    {"status", "done_then_status", "lose_reply", "hang", "drop_before", "delay_ms", "garbage", "truncate"}
)
WEBHOOK_FAULTS = frozenset({"duplicate_webhook", "hold_webhooks", "drop_webhook"})
MATCHERS = frozenset({"method", "path", "external_id", "uuid", "app_id", "status"})


class UnknownFaultError(Exception):
    """The fault or its match is not one the sandbox can make."""


@dataclass(kw_only=True, slots=True)
class Fault:
    """A fault that still happens `times` times to what matches."""

    id: int
    name: str
    match: Mapping[str, str]
    times: int
    options: Json = field(default_factory=dict)

    def fits(self, facts: Mapping[str, str]) -> bool:
        """Whether all wanted facts are met; a path may end with `*`."""
        return all(_fits(wanted, facts.get(key, "")) for key, wanted in self.match.items())


class Faults:
    """The faults that wait to happen, oldest first."""

    def __init__(self) -> None:
        """Start with none."""
        self.waiting: list[Fault] = []
        self._count = 0

    def add(self, body: Json) -> Fault:
        """Add a fault from its JSON; raises UnknownFaultError."""
        name, match = body.get("fault"), body.get("match", {})
        if name not in REQUEST_FAULTS | WEBHOOK_FAULTS:
            raise UnknownFaultError(f"fault must be one of {', '.join(sorted(REQUEST_FAULTS | WEBHOOK_FAULTS))}")
        if not isinstance(match, dict) or not match.keys() <= MATCHERS:
            raise UnknownFaultError(f"match may hold {', '.join(sorted(MATCHERS))}")
        times = body.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise UnknownFaultError("times must be a whole number of at least 1")
        self._count += 1
        options = {key: value for key, value in body.items() if key not in {"fault", "match", "times"}}
        wanted = {key: str(value) for key, value in match.items()}
        fault = Fault(id=self._count, name=str(name), match=wanted, times=times, options=options)
        self.waiting.append(fault)
        return fault

    def take(self, facts: Mapping[str, str], names: frozenset[str]) -> Fault | None:
        """Use up one occurrence of the first fault of these names that fits; None if there is none."""
        for fault in self.waiting:
            if fault.name in names and fault.fits(facts):
                fault.times -= 1
                self.waiting = [other for other in self.waiting if other.times]
                return fault
        return None

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self.waiting = []


def _fits(wanted: str, fact: str) -> bool:
    return fact.startswith(wanted[:-1]) if wanted.endswith("*") else fact == wanted
