"""Which node of a Redis Cluster a command goes to. Nothing here asks anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.crc import key_slot

from orchestrator.adapters.redis_hosts import read_hosts
from orchestrator.errors import PayorchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.adapters.redis_hosts import Address

    Words = Sequence[str | bytes | int | float]

SCHEME = "redis+cluster"
PORT = 6379
HOME_SLOT = 0  # what names no key goes to its master: one clock for all, wherever that moves

_SCRIPTS = {"EVAL", "EVALSHA"}
_WITHOUT_KEY = {"CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "INFO", "PING", "SCAN", "SCRIPT", "TIME", "WAIT"}


class ClusterUrlError(PayorchError):
    """The address does not say which nodes to ask; its text never holds the address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterAddress:
    """Some nodes, any of which knows all others, and how to log in at each."""

    seeds: tuple[Address, ...]
    login: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterMap:
    """The masters by the slots they serve, as one node told it."""

    by_slot: Mapping[int, Address]

    @property
    def masters(self) -> tuple[Address, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(self.by_slot.values()))


def is_cluster(url: str) -> bool:
    """Whether the address is one of a Redis Cluster."""
    return url.startswith(f"{SCHEME}://")


def parse(url: str) -> ClusterAddress:
    """The parts of `redis+cluster://user:password@host:6379,host:6379`. Raises ClusterUrlError."""
    try:
        told = read_hosts(url, port=PORT)
    except ValueError:
        told = None
    if told is None or told.path not in {"", "0"}:
        message = f"the state's Redis URL must be like {SCHEME}://host:{PORT},host:{PORT}; a cluster has no databases"
        raise ClusterUrlError(message) from None
    return ClusterAddress(seeds=told.hosts, login={"username": told.username, "password": told.password})


def read_map(slots: Iterable[Sequence[Any]], *, asked: str) -> ClusterMap:
    """What CLUSTER SLOTS told; a node that does not know its own host is at the one that was `asked`."""
    by_slot: dict[int, Address] = {}
    for first, last, (host, port, *_), *_ in slots:
        address = ((host or b"").decode() or asked, int(port))
        by_slot.update(dict.fromkeys(range(int(first), int(last) + 1), address))
    return ClusterMap(by_slot=by_slot)


def slot_of(words: Words) -> int:
    """The slot of a command's first key, that of HOME_SLOT where it names none; all its keys have the same."""
    name = str(words[0]).upper()
    if name.partition(" ")[0] in _WITHOUT_KEY:
        return HOME_SLOT
    if name in _SCRIPTS:
        return key_slot(_encoded(words[3])) if int(words[2]) else HOME_SLOT
    if name == "XREAD":
        return key_slot(_encoded(words[list(words).index("STREAMS") + 1]))
    return key_slot(_encoded(words[1]))


def _encoded(word: str | bytes | float) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
