"""What the core asks of the world. A port exists only where there is a real adapter and a twin."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from orchestrator.breaker import Turn
    from orchestrator.identity import PaymentKey


class Clock(Protocol):
    """Wall time for schedules, monotonic time for deadlines, and waiting."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class Journal(Protocol):
    """Where the engine says what it does: static dotted names, ids as fields, nothing secret (I8)."""

    def info(self, event: str, /, **fields: object) -> None:
        """Say what happened."""
        ...

    def warning(self, event: str, /, **fields: object) -> None:
        """Say what somebody on call may want to know."""
        ...


# The store

ALONE_AT_CLAIMS = 5  # leases that ran out in a row until a payment is a suspect, claimed by itself alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A stored payment as the scripts see it: compared fields beside an opaque body."""

    key: PaymentKey
    version: int  # +1 per accept or commit
    sequence: int  # +1 per event
    observed: int  # observations ever stored for this payment
    observations: tuple[bytes, ...]  # those not yet removed by a commit, oldest first
    claims: int  # leases that ran out since it was last advanced; as a suspect only those that ran out alone
    fingerprint: str
    body: bytes
    owner: str | None = None
    owned_until_ms: int | None = None
    rests: int = 0  # how often it was put aside since it was last advanced
    lost_at_ms: int = 0  # when the store was last found to have lost writes of this payment's shard; 0: never


class AcceptOutcome(StrEnum):
    """What became of an accept."""

    ACCEPTED = "accepted"  # stored by this call, or by an earlier sending of the same op
    KNOWN = "known"  # stored before, same fingerprint: accepted again, nothing happens twice
    CONFLICT = "conflict"  # stored before with another fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """The answer to accept; `record` only where the call accepted and claimed."""

    outcome: AcceptOutcome
    record: Record | None = None


class CommitOutcome(StrEnum):
    """What became of a commit."""

    COMMITTED = "committed"  # written by this call, or by an earlier sending of the same op
    CONFLICT = "conflict"  # another version is stored: reload and observe again
    FENCED = "fenced"  # the caller is not the owner any more
    NEWS = "news"  # an own move, while observations wait that the caller has not seen
    ABSENT = "absent"  # no such payment


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """One atomic write: state, event and next due time."""

    key: PaymentKey
    op: str  # id of this write; repeating it repeats the first answer
    owner: str
    expected_version: int
    observed_seen: int  # how many observations (of Record.observed) this body takes into account
    body: bytes
    event: bytes | None = None  # CloudEvent JSON; the script raises `sequence` by one exactly if present
    event_sequence: int | None = None  # the sequence inside the event; must be stored sequence + 1
    due_at_ms: int | None = None  # None: wants no attention any more (leaves the due index)
    keep_lease_ms: int | None = None  # None: release the claim; else stay owner for so long from now
    own_move: bool = False  # sending, cancel, local expiry: refused while unseen observations wait
    forgives: bool = True  # `claims` and `rests` begin anew
    rest_ms: int | None = None  # put aside for so long, whatever waits: neither kept nor forgiven
    lost_at_ms: int = 0  # Record.lost_at_ms of what this was decided on; older news are a CONFLICT


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """The answer to a commit. On CONFLICT and NEWS `record` is the stored state, for another try."""

    outcome: CommitOutcome
    version: int = 0
    sequence: int = 0
    observed: int = 0
    observations: tuple[bytes, ...] = ()  # still unseen after this commit
    record: Record | None = None


class NotifyOutcome(StrEnum):
    """What became of an observation."""

    STORED = "stored"
    ORPHANED = "orphaned"  # no such payment: kept for it, the id is marked
    FULL = "full"  # too many wait already; nothing was stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Unclaimed:
    """Commands, and perhaps webhooks, for an id that is not stored."""

    key: PaymentKey
    observations: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A message or command that cannot be accepted, as one dead letter and one event."""

    refusal_id: str  # the event's id: refusal/<body_sha256> or refusal/<merchant>/<command_id>
    code: str
    message: str
    field: str | None
    origin: str  # stream | amqp | celery | cli | dead
    at_ms: int
    body: bytes  # masked where a card number was found
    redrivable: bool
    event: bytes  # CloudEvent JSON
    # merchant, intent_id, command where readable
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)


class PaymentStore(Protocol):
    """The store's protocol. Every call raises StoreUnavailableError where Redis does not answer."""

    shards: int

    async def find_fingerprint(self, key: PaymentKey) -> str | None:
        """The fingerprint under which the id is remembered (payment or tombstone), or None."""
        ...

    async def accept(
        self,
        key: PaymentKey,
        *,
        op: str,
        fingerprint: str,
        body: bytes,
        event: bytes,
        due_at_ms: int,
        owner: str | None = None,
        lease_ms: int = 0,
    ) -> Acceptance:
        """Store a new payment with its first event, due; with `owner` also claimed in the same script."""
        ...

    async def load(self, key: PaymentKey) -> Record | None:
        """The payment as stored now, or None."""
        ...

    async def due_at(self, key: PaymentKey) -> int | None:
        """When it wants attention next, in milliseconds; the end of the lease where it is claimed; None: never."""
        ...

    async def claim(
        self, shard: int, *, owner: str, lease_ms: int, limit: int, rations: Mapping[str, int] | None = None
    ) -> list[Record]:
        """Claim payments of a shard that are due and have no live owner, oldest due first, at most `limit`.

        A suspect, whose lease ran out ALONE_AT_CLAIMS times, is passed over: `claim_alone` takes it. Of a merchant
        in `rations` no more than its number are claimed, and those that something was heard of since their last turn.
        """
        ...

    async def suspects(self) -> Sequence[int]:
        """The shards in which a claim met suspects that nobody has taken since."""
        ...

    async def claim_alone(self, shard: int, *, owner: str, lease_ms: int) -> Record | None:
        """Claim one suspect of a shard; only for an owner that has nothing else in hand, until a renewal says so.

        Should this lease run out as well, `claims` rises above ALONE_AT_CLAIMS: nobody else can be to blame.
        """
        ...

    async def claim_one(self, key: PaymentKey, *, owner: str, lease_ms: int) -> Record | None:
        """Claim this payment, due or not; None where it is absent or somebody else holds a live claim.

        A live claim of the same owner is renewed and returned, so that a repeat gets its record.
        """
        ...

    async def renew(
        self, keys: Sequence[PaymentKey], *, owner: str, lease_ms: int, alone: bool = False
    ) -> frozenset[PaymentKey]:
        """Extend these claims in one pipeline; returns those that were lost.

        `alone`: the owner still has nothing else in hand.
        """
        ...

    async def release(self, key: PaymentKey, *, owner: str, due_at_ms: int | None) -> bool:
        """Hand a claim back unchanged, due then (now if observations wait); False if it was not ours.

        Without `due_at_ms` it wants no attention any more, as after a commit without one. Forgives nothing.
        """
        ...

    async def rest(self, key: PaymentKey, *, owner: str, rests: int, for_ms: int) -> bool:
        """Put a claim aside unchanged: due then, whatever waits, or at a command; False if it was not ours.

        `rests` is how often it was put aside before: a repeat, when it is claimed again, does nothing.
        """
        ...

    async def commit(self, commit: Commit) -> Committed:
        """Write state, event and due time atomically, or say why not."""
        ...

    async def is_copied(self, key: PaymentKey) -> bool:
        """Whether all that was written of a payment before is as safe as this store can make it; never raises.

        False where a replica follows the store and is behind: what was marked now might be lost with the master.
        """
        ...

    async def notify(self, key: PaymentKey, observation: bytes, *, op: str, is_command: bool = False) -> NotifyOutcome:
        """Append an observation; due now if nobody owns the payment; ring the bell.

        What was put aside rests on, unless this is a command. For an absent payment it is kept: a command among
        the unclaimed, anything else among the orphans.
        """
        ...

    async def unclaimed(self, shard: int, *, before_ms: int) -> list[Unclaimed]:
        """Ids whose first command came before then and whose payment is not stored, with what waits for them."""
        ...

    async def forget(self, key: PaymentKey, observations: Sequence[bytes], *, rest_at_ms: int | None) -> bool:
        """Drop these waiting observations of an absent payment, whose other commands came at `rest_at_ms`.

        False, and nothing is dropped, where the payment is stored by now: it has them.
        """
        ...

    async def refuse(self, refusal: Refusal) -> bool:
        """Keep one dead letter and one event for it, however often it is called; True the first time."""
        ...

    def bells(self) -> AsyncIterator[int]:
        """Shards in which something became due at once, as they are rung; never ends, may lose a bell."""
        ...

    def scan(self) -> AsyncIterator[Record]:
        """Every stored payment once or more, in no order, without stopping the world."""
        ...


# The provider


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderRequest:
    """One call to the provider, with nothing secret in it."""

    operation: str  # create | capture | read | list ...: for logs and metrics
    credentials: str  # the name of the credential set (the merchant's)
    method: str  # GET | POST
    path: str  # starts with /v1 or /v2; the adapter joins it to <base>/api
    query: tuple[tuple[str, str], ...] = ()
    needs_access_token: bool = False  # the header `access-token` instead of app-id and secret-key (T-03)
    # JSON: str, bool, int, Decimal, None, mappings, sequences; no float
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came of a call. `sent` is witnessed on the wire, never inferred from an exception."""

    sent: bool  # False: certainly nothing of the request reached the wire
    http_status: int | None = None  # None: no whole answer
    body: object = None  # parsed JSON (numbers int or Decimal), None where there was none or it was not JSON
    is_json: bool = False
    retry_after_s: int | None = None
    error: str = ""  # for log and record: an exception's class or words, redacted, at most 200 characters


class Provider(Protocol):
    """The provider over HTTP: one call, no retry, a total deadline, a cap on the body."""

    async def prepare(self, request: ProviderRequest, *, permit: Callable[[], Awaitable[int]]) -> Reply | None:
        """Get what must be at hand before the request's mark is written (an access token), if `permit` gives 0.

        None: nothing is missing; else the reply of the call that gave none.
        """
        ...

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        """Make the call; never raises for anything the network or the provider does.

        With `send_before_s` (on the clock's monotonic time) a request that is not on the wire by then is not
        sent at all: Reply(sent=False, error="too_late").
        """
        ...


# The limiter


class CallClass(StrEnum):
    """Who goes first when the provider's limit is short."""

    ACT = "act"  # create, capture, refund, token
    CONFIRM = "confirm"  # reads after a webhook
    LOOK = "look"  # polls


class Limiter(Protocol):
    """The provider's shared limits, the breakers, and who is paused.

    An account is a set of credentials: `merchant`, or `merchant:CURRENCY`. Rates are a merchant's, whatever the
    account; breakers are an account's.
    """

    async def permit(self, account: str, call_class: CallClass) -> int:
        """0 where the call may be made now, else milliseconds to wait before asking again.

        After a 0 `ended` must follow, whether or not the call is made.
        """
        ...

    def ended(self, account: str) -> None:
        """A call that had a permit is over, or was not made."""
        ...

    async def outcome(self, account: str, *, is_alive: bool) -> Turn | None:
        """Tell the breaker whether the provider answered a call; what that changed."""
        ...

    def rationed(self) -> Mapping[str, float]:
        """The merchants that this process was refused permits for just now, and their calls a second; 0: none."""
        ...

    def broken(self) -> Sequence[str]:
        """The accounts whose breaker is open, as far as this process knows."""
        ...

    async def pause(self, account: str, *, for_ms: int, reason: str) -> None:
        """Refuse all permits of a merchant, or of one of its accounts, for so long; it resumes by itself."""
        ...

    async def paused(self) -> Mapping[str, str]:
        """The merchants and accounts paused now and why."""
        ...


# Events


class EventPublisher(Protocol):
    """Publishes to `payments.events`; blocking, used from the relay's own thread only."""

    def publish(self, events: Iterable[PublishedEvent]) -> Sequence[bool]:
        """Publish a window of events with confirms; one answer an event, in order; True: the broker has it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedEvent:
    """An event on its way out."""

    routing_key: str
    body: bytes
    partition: str  # merchant/intent_id: at most one of a payment per window
