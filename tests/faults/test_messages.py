"""Table F of the faults: messages in their worst shapes stop nothing but themselves (I9)."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import pytest

from orchestrator.adapters.kombu_entities import Connection
from tests.support.intents import payin
from tests.support.process import wait_for
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)

POISON = 10_000
SOON_S = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def with_amount(literal):
    return json.dumps(payin(amount_minor=1)).replace('"amount_minor": 1', f'"amount_minor": {literal}')


def refusals_of(stack, act):
    """The codes of the dead letters that came of it."""
    before = len(stack.dead_letters())
    act()
    wait_for(lambda: len(stack.dead_letters()) > before, within_s=SOON_S, what=stack.tails)
    goes_on(stack)
    return [letter["code"] for letter in stack.dead_letters()[before:]]


def goes_on(stack):
    ids = stack.submit(payin())
    stack.wait_status(ids, "requires_action", within_s=SOON_S)


LOG_LINE = 'x\n{"event": "payment.moved", "forged": true}'
SHAPES = {
    "5 MB": (json.dumps(payin(description="x" * 5_000_000)), "too_large"),
    "an amount without end": (with_amount("1e400"), "invalid_json"),
    "an amount of thousands of digits": (with_amount("9" * 5000), "invalid_json"),
    "not a number": (with_amount("NaN"), "invalid_json"),
    "infinite": (with_amount("-Infinity"), "invalid_json"),
    "nested without end": ("[" * 60_000, "too_deep"),
    "a terminal's escapes": (json.dumps(payin(description="\x1b]0;owned\x07\x1b[31m")), "control_character"),
    "escapes in an id": (json.dumps(payin(intent_id="ord\x1b[2J")), "control_character"),
    "a line of another log": (
        json.dumps(payin(metadata={"note": LOG_LINE})),
        "control_character",
    ),
    "a key twice": (json.dumps(payin())[:-1] + ', "amount_minor": 1}', "duplicate_field"),
    "nothing": ("", "invalid_json"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_in_its_worst_shape_is_one_refusal_and_the_next_goes_through(stack, shape):
    body, code = SHAPES[shape]

    codes = refusals_of(stack, lambda: stack.submit_raw(body, body))

    assert codes == [code]
    said = stack.output()
    assert "\x1b" not in said
    assert LOG_LINE not in said


def test_ten_thousand_of_one_poison_are_one_dead_letter_and_hold_up_what_comes_after_them_for_seconds(stack):
    body = json.dumps(payin(amount_minor=-7))
    began_s = time.monotonic()

    codes = refusals_of(stack, lambda: stack.submit_raw(*[body] * POISON))

    assert codes == ["amount_out_of_range"]
    assert time.monotonic() - began_s < SOON_S
    wait_for(lambda: stack.redis.xlen("payments.intents") == 0, within_s=SOON_S)


class Canary:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return (Path.touch, (self._path,))


def test_a_pickle_is_not_opened(stack, tmp_path):
    canary = tmp_path / "opened"
    pickle.loads(pickle.dumps(Canary(canary)))
    canary.unlink()  # it was there: the canary sings
    with Connection(stack.valkey.url) as connection, connection.SimpleQueue("payments.tasks") as queue:
        headers = {"task": "payments.submit", "id": "canary"}
        body = pickle.dumps(((Canary(canary),), {}, {}))
        queue.put(body, serializer=None, content_type="application/x-python-serialize", headers=headers)

    wait_for(lambda: stack.redis.llen("payments.tasks") == 0, what=stack.tails)
    goes_on(stack)

    assert not canary.exists()
    assert stack.workers[0].is_running
