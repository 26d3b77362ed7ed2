"""The lines of a payment's history: what they keep, how they are counted together, where they end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.history import (
    FIRST_KEPT,
    HIDDEN,
    LAST_KEPT,
    Entry,
    Verdict,
    What,
    added,
    entry_of,
    line_of,
    name,
    word,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|"), max_size=20)
MOMENTS = st.integers(0, 2**45)


@given(
    st.builds(
        Entry,
        at_ms=MOMENTS,
        what=st.sampled_from(What).map(str) | TEXTS,
        said=TEXTS,
        verdict=st.sampled_from(["", *map(str, Verdict)]) | TEXTS,
        detail=TEXTS,
    ),
    st.integers(1, 999),
    MOMENTS,
)
def test_an_entry_comes_back_from_its_line(entry, times, last_at_ms):
    repeated = entry if times == 1 else Entry(**{**fields_of(entry), "times": times, "last_at_ms": last_at_ms})
    assert entry_of(line_of(repeated)) == repeated


def fields_of(entry):
    return {field: getattr(entry, field) for field in Entry.__dataclass_fields__}


def test_what_is_said_cannot_break_out_of_its_place():
    entry = entry_of(line_of(Entry(at_ms=1, what=What.WEBHOOK, said="a|refused|b", verdict=Verdict.SAME)))
    assert (entry.said, entry.verdict, entry.detail) == ("a/refused/b", "same", "")


def history_of(*entries: Entry) -> list[Entry]:
    lines: tuple[str, ...] = ()
    for entry in entries:
        lines = added(lines, line_of(entry))
    return [entry_of(line) for line in lines]


def read(at_ms: int, said: str = "pending") -> Entry:
    return Entry(at_ms=at_ms, what=What.READ, said=said, verdict=Verdict.SAME)


def test_polls_that_said_the_same_in_a_row_are_one_line_with_a_count():
    [entry] = history_of(read(1), read(5), read(9))
    assert (entry.at_ms, entry.times, entry.last_at_ms) == (1, 3, 9)


def test_the_same_after_something_else_is_a_line_of_its_own():
    kinds = [(entry.said, entry.times) for entry in history_of(read(1), read(2), read(3, "waiting"), read(4))]
    assert kinds == [("pending", 2), ("waiting", 1), ("pending", 1)]


@pytest.mark.parametrize("field", ["what", "said", "verdict", "detail"])
def test_any_difference_makes_another_line(field):
    one = Entry(at_ms=1, what=What.READ, said="a", verdict=Verdict.SAME, detail="d")
    other = Entry(**{**fields_of(one), "at_ms": 2, field: "other"})
    assert len(history_of(one, other)) == 2


def call(at_ms: int) -> Entry:
    return Entry(at_ms=at_ms, what=What.CALL, said="create#1")


def reply(at_ms: int, verdict: Verdict = Verdict.NOT_EXECUTED, said: str = "create#1 HTTP 429") -> Entry:
    return Entry(at_ms=at_ms, what=What.REPLY, said=said, verdict=verdict)


def test_a_call_that_is_tried_again_and_again_is_two_lines_not_hundreds():
    first, second = history_of(*(each for at_ms in range(0, 200, 2) for each in (call(at_ms), reply(at_ms + 1))))
    assert (first.what, first.times, first.at_ms, first.last_at_ms) == (What.CALL, 100, 0, 198)
    assert (second.what, second.times, second.at_ms, second.last_at_ms) == (What.REPLY, 100, 1, 199)


def test_a_call_after_one_that_may_have_been_executed_is_never_counted_with_it():
    assert [entry.times for entry in history_of(call(1), reply(2, Verdict.IN_DOUBT), call(3))] == [1, 1, 1]


def test_the_first_and_the_last_are_kept_and_what_was_between_is_counted():
    count = 500
    history = history_of(*(read(number, f"said {number}") for number in range(count)))
    assert len(history) == FIRST_KEPT + 1 + LAST_KEPT
    assert [entry.at_ms for entry in history[:FIRST_KEPT]] == list(range(FIRST_KEPT))
    assert [entry.at_ms for entry in history[-LAST_KEPT:]] == list(range(count - LAST_KEPT, count))
    gap = history[FIRST_KEPT]
    assert (gap.what, gap.times) == (What.LEFT_OUT, count - FIRST_KEPT - LAST_KEPT)
    assert (gap.at_ms, gap.last_at_ms) == (FIRST_KEPT, count - LAST_KEPT - 1)


def test_nothing_is_left_out_before_it_must_be():
    history = history_of(*(read(number, f"said {number}") for number in range(FIRST_KEPT + LAST_KEPT)))
    assert [entry.at_ms for entry in history] == list(range(FIRST_KEPT + LAST_KEPT))


def test_lines_that_count_several_are_counted_as_several_when_they_go():
    entries = [read(number, f"said {number // 3}") for number in range(300)]
    history = history_of(*entries)
    assert sum(entry.times for entry in history) == len(entries)


@pytest.mark.parametrize("text", ["received", "return_pending", "card_declined", "E1001", "ServerTimeoutError"])
def test_a_word_of_the_providers_is_kept(text):
    assert word(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "https://bank.example/3ds",
        "tok_dfe1988a1ffc0d6562d3",
        "sk_live_abc",
        "eyJhbGciOi",
        "123456",
        "code 123456",
        "otp123456",
        "card_4111111111111111",
        "a4111-1111-1111-1111",
        "two words",
        "Bearer abc",
        "x" * 41,
        "line\nbreak",
        "a|b",
    ],
)
def test_i8_what_could_be_more_than_a_word_is_not_kept(text):
    assert word(text) == HIDDEN


@pytest.mark.parametrize("nothing", [None, "", 7, ["x"]])
def test_no_word_is_nothing(nothing):
    assert word(nothing) == ""


def test_names_and_ids_are_kept_but_no_number_of_a_card_and_no_token():
    assert name("ada.lovelace@example.com") == "ada.lovelace@example.com"
    assert name("refund:r-1") == "refund:r-1"
    for text in ("4111111111111111", "tok_dfe1988a1ff", "po1.abc.def", "two words", "a|b", "", "x" * 81):
        assert name(text) == HIDDEN
