"""The watchdog judges by looks in a row, excuses those whose store is away, and ends whoever is deaf."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.process import wait_for
from workers.watchdog import LOOKS, Silence, Watchdog, stack_of


def never(_):
    return False


class Part:
    """Counts how often it was looked at; gives a sign of life each time, or always the same."""

    def __init__(self, *, is_deaf=False):
        self.looks = 0
        self._is_deaf = is_deaf

    def signs(self):
        self.looks += 1
        return {"reconcile": 1 if self._is_deaf else self.looks}


def looked(silence, signs, *, excused=never):
    """What each look found; the first one has nothing to compare with."""
    return [silence.look(each, excused=excused) for each in signs]


def test_a_part_is_silent_after_so_many_looks_in_a_row_without_a_sign():
    found = looked(Silence(), [{"intake": 7}] * (LOOKS + 1))

    assert found == [[]] * LOOKS + [["intake"]]


def test_one_sign_begins_the_count_anew():
    silence = Silence()
    looked(silence, [{"intake": 7}] * LOOKS)

    assert looked(silence, [{"intake": 8}] * LOOKS) == [[]] * LOOKS


def test_only_the_silent_part_is_named():
    found = looked(Silence(), [{"intake": 7, "relay": number} for number in range(LOOKS + 1)])

    assert found[-1] == ["intake"]


def test_who_fell_silent_a_little_later_is_named_as_well():
    silence = Silence()
    looked(silence, [{"loop": number, "relay": 7} for number in range(4)])

    found = looked(silence, [{"loop": 3, "relay": 7}] * (LOOKS - 3))

    assert found[-1] == ["loop", "relay"]


def test_while_what_it_depends_on_is_away_a_part_may_be_silent_and_afterwards_its_time_begins_anew():
    silence = Silence()

    assert looked(silence, [{"intake": 7}] * 100, excused=lambda part: part == "intake")[-1] == []
    assert looked(silence, [{"intake": 7}] * LOOKS)[-2:] == [[], ["intake"]]


def test_a_part_that_was_just_started_is_not_silent_yet():
    silence = Silence()
    looked(silence, [{}] * 100)

    assert looked(silence, [{"intake": 0}] * LOOKS) == [[]] * LOOKS


def test_whoever_gives_signs_is_asked_for_no_excuse():
    asked: list[str] = []

    looked(Silence(), [{"intake": number} for number in range(100)], excused=asked.append)

    assert asked == []


@pytest.fixture
def watchdog():
    """Makes watchdogs of great impatience; `ended` is set by their last act."""
    made = []

    def make(**changes):
        ended = threading.Event()
        values: dict[str, Any] = {
            "patience_s": 0.2,
            "beat": lambda count: count(),
            "loop_thread": threading.get_ident,
            "signs": dict,
            "answers": lambda _: True,
            "end": ended.set,
        }
        dog = Watchdog(**(values | changes))
        dog.start()
        made.append(dog)
        return ended

    yield make
    for dog in made:
        dog.stop()


def test_a_loop_that_does_not_beat_ends_the_process_whether_redis_answers_or_not(watchdog):
    ended = watchdog(beat=lambda _: None, answers=never)

    assert ended.wait(20)


def test_a_deaf_part_ends_the_process_only_once_redis_answers(watchdog):
    answers = threading.Event()
    part = Part(is_deaf=True)
    ended = watchdog(signs=part.signs, answers=lambda _: answers.is_set())
    wait_for(lambda: part.looks > 3 * LOOKS)
    assert not ended.is_set()

    answers.set()

    assert ended.wait(20)


def test_a_worker_at_work_is_left_alone(watchdog):
    part = Part()
    ended = watchdog(signs=part.signs)

    wait_for(lambda: part.looks > 5 * LOOKS)

    assert not ended.is_set()


def test_where_a_thread_stands_is_told_by_function_and_without_values():
    secret = "canary-value"

    stack = stack_of(threading.get_ident())

    assert any(line.endswith("test_where_a_thread_stands_is_told_by_function_and_without_values") for line in stack)
    assert secret not in str(stack)
    assert stack_of(None) == []
