from __future__ import annotations

import pytest

from tests.support.broker import Broker


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
