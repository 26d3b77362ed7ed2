"""Whether a routing key falls under a topic binding."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=10_000)
def matches(binding: str, routing_key: str) -> bool:
    """As RabbitMQ decides: `*` is one word, `#` any number of words, none included."""
    return _match(binding.split("."), routing_key.split("."))


def _match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_match(pattern[1:], words[start:]) for start in range(len(words) + 1))
    return bool(words) and pattern[0] in {"*", words[0]} and _match(pattern[1:], words[1:])
