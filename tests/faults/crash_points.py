"""The instructions at which a process is killed, as a table; the wrapping is in `crash_program`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from structlog.contextvars import get_contextvars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ANY = "*"  # a hit that names no payment
LISTS = (b"/v2/payins/all", b"/v2/cards/payments?")


class When(StrEnum):
    """When the process dies, seen from the call of the point's target."""

    BEFORE = "before"
    AFTER = "after"
    ON_WIRE = "on_wire"  # a moment after it: what was written is out, and not answered yet
    HALF_ON_WIRE = "half_on_wire"  # likewise, but only half of the body was written


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a target: `of[0]` is the object of a method; before it the result is None."""

    of: tuple[Any, ...]
    result: Any = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where: `target` is module:attribute; `concerns` names the payments of a call, None where it is no hit."""

    target: str
    when: When
    concerns: Callable[[Call], str | None]


def _turn(_: Call) -> str:
    """The payment whose turn it is."""
    return str(get_contextvars().get("payment", ""))


def _turn_if(holds: Callable[[Call], bool]) -> Callable[[Call], str | None]:
    return lambda call: _turn(call) if holds(call) else None


def _any_if(holds: Callable[[Call], object]) -> Callable[[Call], str | None]:
    return lambda call: ANY if holds(call) else None


def _any(_: Call) -> str:
    return ANY


def _key(call: Call) -> str:
    return str(call.of[1])


def _command_key(call: Call) -> str | None:
    return str(call.of[1]) if call.of[-1] is True else None


def _is_mark(call: Call) -> bool:
    return call.of[1].own_move and call.of[1].keep_lease_ms is not None


def _is_truth(call: Call) -> bool:
    return not call.of[1].own_move


def _is_post(call: Call) -> bool:
    return bool(call.of[1].method == "POST")


def _is_read(call: Call) -> bool:
    return bool(call.of[1].method == "GET") and not any(path in call.of[1].url.raw_path for path in LISTS)


def _is_read_on_wire(call: Call) -> bool:
    return bytes(call.of[1]).startswith(b"GET ") and not _is_list_on_wire(call)


def _is_list_on_wire(call: Call) -> bool:
    first_line = bytes(call.of[1]).partition(b"\r\n")[0]
    return first_line.startswith(b"GET ") and any(path in first_line for path in LISTS)


def _is_operation(call: Call) -> bool:
    return call.of[0]._send_before_s is not None


def _entries(call: Call) -> str:
    return repr(call.of[1])


def _keys(call: Call) -> str:
    return " ".join(map(str, call.of[1]))


def _claimed(call: Call) -> str:
    return " ".join(str(record.key) for record in call.result)


def _window(call: Call) -> str:
    return " ".join(waiting.event.partition for waiting in call.of[1])


def _verified(call: Call) -> str | None:
    return str(call.of[1]) if call.result else None


def _refused(call: Call) -> str:
    return str(call.of[1].attributes.get("intent_id", ""))


_STORE = "orchestrator.adapters.redis_store:RedisStore"
_PROVIDER = "orchestrator.adapters.hello_clever:HelloClever"
_WRITER = "aiohttp.http_writer:StreamWriter"
_PROCESS = "workers.process:WorkerProcess"
_INTAKE = "workers.stream_intake:StreamIntake"

_TABLE: tuple[tuple[str, str, When, Callable[[Call], str | None]], ...] = (
    # A message on its way in
    ("popped", f"{_INTAKE}._take", When.BEFORE, _entries),
    ("parsed", "orchestrator.accept:parse_intent", When.AFTER, lambda call: str(call.result.key)),
    ("before-accept", f"{_STORE}.accept", When.BEFORE, _key),
    ("accepted", f"{_STORE}.accept", When.AFTER, _key),
    ("before-ack", f"{_INTAKE}._acknowledge", When.BEFORE, _any),
    ("acknowledged", f"{_INTAKE}._acknowledge", When.AFTER, _any),
    ("before-refusal", f"{_STORE}.refuse", When.BEFORE, _refused),
    ("refused", f"{_STORE}.refuse", When.AFTER, _refused),
    ("before-command", f"{_STORE}.notify", When.BEFORE, _command_key),
    ("command-kept", f"{_STORE}.notify", When.AFTER, _command_key),
    # An operation
    ("permitted", "orchestrator.adapters.redis_limiter:RedisLimiter.permit", When.AFTER, _turn),
    ("before-mark", f"{_STORE}.commit", When.BEFORE, _turn_if(_is_mark)),
    ("marked", f"{_STORE}.commit", When.AFTER, _turn_if(_is_mark)),
    ("before-post", f"{_PROVIDER}._exchange", When.BEFORE, _turn_if(_is_post)),
    ("let-out", "orchestrator.adapters.wire_witness:WireWitness.let_out", When.AFTER, _turn_if(_is_operation)),
    ("half-post", f"{_WRITER}._writelines", When.HALF_ON_WIRE, _turn),
    ("mid-post", f"{_WRITER}._writelines", When.ON_WIRE, _turn),
    ("replied", f"{_PROVIDER}.call", When.AFTER, _turn_if(_is_post)),
    ("before-commit", f"{_STORE}.commit", When.BEFORE, _turn_if(_is_truth)),
    ("committed", f"{_STORE}.commit", When.AFTER, _turn_if(_is_truth)),
    # A look
    ("claimed", f"{_STORE}.claim", When.AFTER, _claimed),
    ("observed", "orchestrator.held:absorb", When.AFTER, _turn_if(lambda call: bool(call.of[1]))),
    ("before-read", f"{_PROVIDER}._exchange", When.BEFORE, _turn_if(_is_read)),
    ("mid-read", f"{_WRITER}._write", When.ON_WIRE, _turn_if(_is_read_on_wire)),
    ("read", "orchestrator.advance:read_payment", When.AFTER, _turn),
    ("before-scan", "orchestrator.advance:scan_list", When.BEFORE, _turn),
    ("mid-scan", f"{_WRITER}._write", When.ON_WIRE, _turn_if(_is_list_on_wire)),
    ("scanned", "orchestrator.advance:scan_list", When.AFTER, _turn),
    # A claim held
    ("before-renewal", f"{_STORE}.renew", When.BEFORE, _keys),
    ("renewed", f"{_STORE}.renew", When.AFTER, _keys),
    # The way out
    ("before-publish", "workers.relay_sender:Sender.send", When.BEFORE, _window),
    ("published", "workers.relay_sender:Sender.send", When.AFTER, _window),
    ("cursor", "orchestrator.adapters.event_log:EventLog.advance", When.AFTER, _any_if(lambda call: call.of[1])),
    # A webhook, in the web process
    ("verified", "orchestrator.webhook_auth:WebhookAuth.verifies", When.AFTER, _verified),
    ("kept", "workers.web:notify", When.AFTER, lambda call: str(call.of[0])),
    # An orderly stop
    ("stopping", "workers.reconcile:Reconciler.begin_stop", When.AFTER, _any),
    ("handing-over", "workers.reconcile:Reconciler._hand_back", When.BEFORE, _any),
    ("drained", f"{_PROCESS}.stop_reconcile", When.AFTER, _any),
    ("relay-stopped", f"{_PROCESS}.stop_relay", When.AFTER, _any),
)
POINTS: Mapping[str, Point] = {
    name: Point(target=target, when=when, concerns=concerns) for name, target, when, concerns in _TABLE
}
