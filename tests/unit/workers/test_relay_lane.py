from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ports import PublishedEvent
from workers.relay_lane import READ_AHEAD_MAX, Lane

ANSWERS = st.lists(st.sampled_from(["delivered", "rejected", "put_back"]), min_size=1, max_size=50)


def event(payment="p", number=1):
    return PublishedEvent(routing_key="k", body=b"%d" % number, partition=payment)


def filled(payments):
    lane = Lane(cursor="0-0")
    for number, payment in enumerate(payments, start=1):
        lane.add(f"{number}-0", event(payment, number))
    return lane


@given(payments=st.lists(st.sampled_from("abcd"), max_size=40), answers=ANSWERS, limit=st.integers(1, 5))
def test_each_payment_keeps_its_order_and_the_cursor_passes_only_what_is_delivered(payments, answers, limit):
    lane = filled(payments)
    delivered: dict[str, list[int]] = defaultdict(list)
    now_s = 0.0
    for turn in range(10 * len(payments)):
        now_s += 1.0
        window = lane.take(limit=limit, now_s=now_s)
        assert len({waiting.event.partition for waiting in window}) == len(window) <= limit
        for number, waiting in enumerate(reversed(window)):
            answer = answers[(turn + number) % len(answers)]
            if answer == "delivered":
                delivered[waiting.event.partition].append(int(waiting.event.body))
                lane.delivered(waiting)
            elif answer == "rejected":
                lane.rejected(waiting, now_s=now_s)
            else:
                lane.put_back(waiting)
        done = {number for numbers in delivered.values() for number in numbers}
        cursor = int(lane.cursor.partition("-")[0])
        assert done >= set(range(1, cursor + 1))
        assert cursor == len(payments) or cursor + 1 not in done
        assert lane.undelivered == len(payments) - len(done)
        assert 0 <= lane.held_back <= lane.undelivered
    for payment, numbers in delivered.items():
        expected = [number for number, each in enumerate(payments, start=1) if each == payment]
        assert numbers == expected[: len(numbers)]


def test_what_waits_for_a_rejected_event_takes_no_room():
    lane = filled(["stuck"])
    (first,) = lane.take(limit=9, now_s=0.0)
    lane.rejected(first, now_s=0.0)
    for number in range(2, READ_AHEAD_MAX + 10):
        lane.add(f"{number}-0", event("stuck", number))
    assert lane.has_room
    assert lane.held_back == lane.undelivered == READ_AHEAD_MAX + 9
    assert not lane.is_ready

    assert lane.take(limit=9, now_s=0.3) == [first]
    assert lane.held_back == 0
    assert not lane.has_room


def test_a_rejected_event_is_tried_after_longer_and_longer_pauses_of_at_most_ten_seconds():
    lane = filled(["p"])
    now_s, pauses = 0.0, []
    for _ in range(8):
        (waiting,) = lane.take(limit=1, now_s=now_s)
        lane.rejected(waiting, now_s=now_s)
        retry_s = lane.next_retry_s
        assert retry_s is not None
        pauses.append(round(retry_s - now_s, 1))
        assert lane.take(limit=1, now_s=retry_s - 0.01) == []
        now_s = retry_s
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_an_entry_that_cannot_be_published_is_passed_over():
    lane = Lane(cursor="0-0")
    lane.add("1-0", None)
    assert lane.cursor == "1-0"
    lane.add("2-0", event())
    lane.add("3-0", None)
    assert lane.cursor == "1-0"
    (waiting,) = lane.take(limit=1, now_s=0.0)
    lane.delivered(waiting)
    assert lane.cursor == "3-0"
