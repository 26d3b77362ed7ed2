from __future__ import annotations

import pytest

from tests.support.broker import Broker
from tests.support.stack import Stack


@pytest.fixture
def own_stack(tmp_path):
    """Makes stacks that live as long as the test."""
    made: list[Stack] = []

    def make(kind=Stack, **options):
        stack = kind(tmp_path / f"stack{len(made)}", **options)
        made.append(stack)
        return stack.__enter__()

    yield make
    for stack in made:
        stack.end()


@pytest.fixture(params=["redis", "amqp"])
def events_broker(request, own_valkey, namespace):
    """The address of a broker for events and tasks, once of each kind; nothing of the test is left on it."""
    if request.param == "redis":
        yield own_valkey.url
        return
    url = request.getfixturevalue("amqp_url")
    broker = Broker(url, namespace)
    yield url
    broker.remove()
