"""Events of the past again, as an operator asks for them: the task `payments.replay` and the command."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.past import SHARDS, Inbox
from tests.integration.relay.relaying import Log
from tests.support.celery_client import send_replay_task
from tests.support.intents import card, payin
from tests.support.process import Program, wait_for


@pytest.fixture
def stack(own_stack):
    return own_stack()


@pytest.fixture
def late_subscriber(stack):
    """A queue that was declared after everything had happened."""
    inboxes = []

    def bind(name):
        inboxes.append(Inbox(stack.valkey.url, "", name=name))
        return inboxes[-1]

    yield bind
    for inbox in inboxes:
        inbox.close()


def test_a_subscriber_that_comes_late_gets_the_past_by_the_task_and_by_the_command(stack, late_subscriber):
    ids = stack.submit(card(), payin(), card())
    stack.succeed(ids)
    logged = stack.events.read()
    wanted = {f"default/{each}:{event['sequence']}" for each in ids for event in logged[each]}
    worker = stack.workers[0]
    log = Log(stack.valkey.url, "", shards=SHARDS)
    wait_for(lambda: log.cursors() == log.ends(), what=stack.tails)
    log.client.close()

    by_task = late_subscriber("by-task")
    send_replay_task(stack.valkey.url, "", queue=by_task.name)
    wait_for(lambda: "replay.done" in worker.output, what=stack.tails)
    events = [json.loads(body) for body in by_task.take()]
    assert {event["id"] for event in events} == wanted
    for intent_id in ids:
        assert [event["data"] for event in events if event["subject"] == intent_id] == logged[intent_id]

    by_command = late_subscriber("by-command")
    arguments = ["-m", "workers.cli", "events", "replay", "--intent", ids[0], "--queue", by_command.name, "--json"]
    command = Program("replay", arguments, environment=worker.environment, directory=stack.directory)
    command.start()
    assert command.wait() == 0, command.output
    assert json.loads(command.output)["published"] == len(logged[ids[0]])
    assert by_command.ids() == [event["id"] for event in events if event["subject"] == ids[0]]

    send_replay_task(stack.valkey.url, "", queue="nobody")
    wait_for(lambda: "nobody has declared the queue nobody" in worker.output, what=stack.tails)
