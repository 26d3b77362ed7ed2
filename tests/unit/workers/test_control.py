"""The remote control's commands, without Celery."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.errors import StoreUnavailableError
from workers.control import payorch_pause, payorch_resume, payorch_stats


class Process:
    def __init__(self, error=None) -> None:
        self.pauses: list[tuple[str, int]] = []
        self._error = error

    def has_account(self, account):
        return account in {"shop", "shop:JPY"}

    def pause(self, account, *, for_ms):
        if self._error:
            raise self._error
        self.pauses.append((account, for_ms))

    def paused(self):
        if self._error:
            raise self._error
        return {"shop": "operator"}

    def about(self):
        return {"owner": "w1"}


def state(process):
    return SimpleNamespace(app=SimpleNamespace(payorch=process))


def test_a_pause_lasts_as_long_as_was_said_or_until_it_is_ended():
    process = Process()
    assert payorch_pause(state(process), "shop", 90.0) == {"ok": "shop paused"}
    payorch_pause(state(process), "shop:JPY")
    assert payorch_resume(state(process), "shop") == {"ok": "shop resumed"}
    (_, first_ms), (account, second_ms), last = process.pauses
    assert (first_ms, account, last) == (90_000, "shop:JPY", ("shop", 0))
    assert second_ms > 5 * 365 * 86_400_000


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("nan")])
def test_a_pause_of_no_length_is_refused(for_s):
    process = Process()
    assert "error" in payorch_pause(state(process), "shop", for_s)
    assert process.pauses == []


def test_a_pause_without_end_is_kept_within_what_redis_takes():
    process = Process()
    payorch_pause(state(process), "shop", float("inf"))
    assert process.pauses[0][1] < 2**53


@pytest.mark.parametrize("command", [payorch_pause, payorch_resume])
def test_nobodys_calls_are_neither_paused_nor_resumed(command):
    assert "no merchant 'nobody'" in command(state(Process()), "nobody")["error"]


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), TimeoutError()])
def test_redis_away_is_said(error):
    process = Process(error)
    assert "Redis" in payorch_pause(state(process), "shop")["error"]
    assert payorch_stats(state(process)) == {"owner": "w1", "paused": "Redis does not answer"}


def test_stats_tell_who_is_paused_and_why():
    assert payorch_stats(state(Process())) == {"owner": "w1", "paused": {"shop": "operator"}}
