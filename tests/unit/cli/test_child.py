"""A program of the local stack is asked how it is without an interrupt in the middle."""

from __future__ import annotations

import signal

import pytest

from workers.cli.child import Child, Interrupts


@pytest.fixture
def child(tmp_path):
    child = Child("sleeper", ["sleep", "600"], environment={"PATH": "/usr/bin:/bin"}, directory=tmp_path)
    yield child
    child.stop(20)


@pytest.fixture
def interrupts(monkeypatch):
    interrupts = Interrupts()
    monkeypatch.setattr("workers.cli.child.INTERRUPTS", interrupts)
    return interrupts


def test_an_interrupt_is_one_at_once():
    with pytest.raises(KeyboardInterrupt):
        Interrupts()(signal.SIGINT, None)


def test_an_interrupt_while_a_program_is_asked_comes_afterwards_and_the_program_can_be_ended(
    child, interrupts, monkeypatch
):
    asked = []

    def interrupted_poll():
        interrupts(signal.SIGINT, None)
        asked.append("to the end")

    monkeypatch.setattr(child._process, "poll", interrupted_poll)
    with pytest.raises(KeyboardInterrupt):
        assert child.exit_status is None
    assert asked == ["to the end"]

    monkeypatch.undo()
    assert child.exit_status is None
    assert child.stop(20)


def test_an_interrupt_is_told_once(interrupts):
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        interrupts(signal.SIGTERM, None)
    with interrupts.held():
        pass
