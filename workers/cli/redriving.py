"""Sending refused messages again, and dropping them; each deed is written down for the audit before it is done."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from orchestrator.client import ClientError
from orchestrator.client.message import Message
from orchestrator.client.ways import async_way
from orchestrator.codec import decode
from orchestrator.errors import RefusedError, StoreCorruptError
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey
from orchestrator.message import parse_message
from workers.bootstrap import open_audit, open_store
from workers.cli.options import user
from workers.cli.progress import Progress
from workers.cli.refusals import open_refusals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.client.ways import AsyncWay
    from orchestrator.ports import PaymentStore
    from workers.bootstrap import Settings
    from workers.cli.refusals import Letter, Refusals

Deed = Literal["redriven", "dropped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which refusals are meant: those of these ids, or else all with this code and of this merchant."""

    letter_ids: tuple[str, ...] = ()
    code: str | None = None
    merchant: str | None = None


@dataclass(kw_only=True, slots=True)
class Told:
    """What became of them; who is not in `done` is where it was."""

    done: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # and why
    error: str = ""


async def carry_out(chosen: Chosen, settings: Settings, *, deed: Deed) -> Told:
    """Redrive or drop them, the oldest first. Raises StoreUnavailableError."""
    told, store, audit = Told(), open_store(settings), open_audit(settings)
    try:
        async with open_refusals(settings) as refusals, _way(settings, deed) as way:
            letters = await _meant(chosen, refusals, told)
            with Progress(len(letters)) as progress:
                for count, letter in enumerate(letters, start=1):
                    why_not = await _why_not_redriven(letter, store=store) if deed == "redriven" else None
                    if why_not is None:
                        await audit.append(_entry(deed, letter))
                        await (_redrive(letter, refusals, way) if way is not None else refusals.remove(letter))
                        told.done.append(letter.letter_id)
                    else:
                        told.left[letter.letter_id] = why_not
                    progress.reached(count)
    except ClientError as error:
        told.error = f"{error}; the rest is where it was"
    finally:
        await store.close()
        await audit.close()
    return told


@asynccontextmanager
async def _way(settings: Settings, deed: Deed) -> AsyncIterator[AsyncWay | None]:
    """The way to the broker, for who sends something: dropping needs none, whatever the broker's URL."""
    if deed == "dropped":
        yield None
        return
    way = async_way(settings.broker_url, namespace=settings.namespace)
    try:
        yield way
    finally:
        await way.close()


async def _meant(chosen: Chosen, refusals: Refusals, told: Told) -> list[Letter]:
    if not chosen.letter_ids:
        return (await refusals.newest(code=chosen.code, merchant=chosen.merchant, at_most=None))[::-1]
    letters = []
    for letter_id in chosen.letter_ids:
        letter = await refusals.one(letter_id)
        if letter is None:
            told.left[letter_id] = "there is no such refusal"
        else:
            letters.append(letter)
    return letters


async def _why_not_redriven(letter: Letter, *, store: PaymentStore) -> str | None:
    """Why sending it again would change nothing, as a sentence; None where it may help."""
    if not letter.entry["redrivable"]:
        return "it is masked, cut, or was the provider's answer: send what is still wanted anew"
    if letter.entry["command"] is None:
        return None
    try:
        command = parse_message(letter.body)
        key = PaymentKey(merchant=command.get("merchant") or DEFAULT_MERCHANT, intent_id=command["intent_id"])
        record = await store.load(key)
        is_answered = record is not None and command.get("command_id") in decode(record.body).commands
    except (RefusedError, KeyError, TypeError, ValueError, StoreCorruptError):
        return None  # whoever takes it off the queue says what is wrong with it
    return "the payment has answered this command_id: send it under a new one" if is_answered else None


async def _redrive(letter: Letter, refusals: Refusals, way: AsyncWay) -> None:
    """Send it as it came, confirmed by the broker; then it leaves the refusals. Refused again, it is a new entry.

    A crash in between leaves it where it was: sent twice, it is one intent.
    """
    await refusals.forget(letter)
    await way.send([Message(kind="command" if letter.entry["command"] else "intent", body=letter.body)])
    await refusals.remove(letter)


def _entry(deed: Deed, letter: Letter) -> dict[str, str]:
    known = {name: letter.entry[name] or "" for name in ("merchant", "intent_id", "code", "refusal_id")}
    return known | {"outcome": deed, "actor": user() or "unknown"}
