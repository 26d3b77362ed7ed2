from __future__ import annotations

import pytest

from tests.support.broker import Broker
from tests.support.stack import Stack


def pytest_collection_modifyitems(items):
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory):
    """Makes stacks that live as long as the module."""
    made: list[Stack] = []

    def make(**options):
        stack = Stack(tmp_path_factory.mktemp("stack"), **options)
        made.append(stack)
        return stack.__enter__()

    yield make
    for stack in made:
        stack.end()


@pytest.fixture
def own_stack(tmp_path):
    """Makes stacks that live as long as the test."""
    made: list[Stack] = []

    def make(**options):
        stack = Stack(tmp_path / f"stack{len(made)}", **options)
        made.append(stack)
        return stack.__enter__()

    yield make
    for stack in made:
        stack.end()


@pytest.fixture
def amqp_broker(amqp_url, namespace):
    broker = Broker(amqp_url, namespace)
    yield broker
    broker.remove()


@pytest.fixture
def amqp_stack(amqp_broker, own_stack):
    stack = own_stack(settings={"broker_url": amqp_broker.url, "namespace": amqp_broker.namespace})
    yield stack
    stack.end()
