"""Each planted bug is found: the simulator's checkers can fail, each for its reason."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import pytest

from orchestrator import advance, next_step
from orchestrator.adapters.memory_store import MemoryStore
from tests.simulator.planted import __main__ as command
from tests.simulator.planted import calling, judging, refunding, relaying, storing, working
from tests.simulator.planted.bug import Bug, attribute, everywhere, item
from tests.simulator.planted.hunt import Catch, false_alarms, hunt
from tests.simulator.planted.table import BUGS
from tests.simulator.run import Violation

OURS = ("orchestrator", "workers")
PAGE = Path(__file__).parents[2] / "docs" / "planted-bugs.md"
PARTS = (storing, calling, judging, refunding, working, relaying)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught_by_the_rule_it_breaks(name):
    catch = hunt(name, first=_caught_at(name))
    assert catch.violation is not None, f"{name} escaped {catch.seeds} seeds: {BUGS[name].rule}"


def test_without_a_bug_the_seeds_with_which_each_hunt_begins_are_clean():
    assert false_alarms() == []


def test_no_bug_hides_another_in_the_table():
    assert sum(len(part.BUGS) for part in PARTS) == len(BUGS) >= 24


def test_what_breaks_nothing_escapes(monkeypatch):
    monkeypatch.setitem(BUGS, "harmless", _bug(nullcontext))

    assert hunt("harmless", seeds_max=3) == Catch(bug="harmless", seeds=3)


def test_an_error_in_the_planted_code_is_no_catch(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the planted code itself is wrong")

    monkeypatch.setitem(BUGS, "broken", _bug(lambda: attribute(advance, "read_payment", fail)))

    assert hunt("broken", seeds_max=3).violation is None


def test_an_escape_ends_the_command_with_its_name_and_the_figures(monkeypatch, capsys):
    escaped, caught = Catch(bug="no-grace", seeds=2000), Violation(invariant="I1", sentence="Twice.", at_ms=0)
    catches = [escaped, Catch(bug="no-fencing", seeds=7, violation=caught)]
    monkeypatch.setattr(command, "false_alarms", list)
    monkeypatch.setattr(command, "hunt_all", lambda **_: catches)
    monkeypatch.setattr(sys, "argv", ["planted"])

    assert command.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["no-grace", "ESCAPED"]
    assert lines[-1] == f"1 of {len(BUGS)} planted bugs caught"


def test_the_page_tells_of_every_bug_and_its_rule():
    page = PAGE.read_text()
    missing = [bug.name for bug in BUGS.values() if f"`{bug.name}` | {bug.rule} | {bug.mistake} |" not in page]
    assert missing == [], "write it anew: ./dev sim --planted --markdown"


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_leaves_nothing_behind(bug):
    before = _code()
    with bug.plant():
        assert _code() != before
    assert _code() == before


def test_a_change_of_what_is_not_there_any_more_fails_loudly():
    with pytest.raises(KeyError), attribute(MemoryStore, "no_such_method", None):
        pass
    with pytest.raises(KeyError), everywhere(advance, "no_such_function", None):
        pass
    with pytest.raises(KeyError), item({}, "no_such_entry", None):
        pass


def test_a_function_is_changed_wherever_it_was_imported_by_its_name():
    with everywhere(next_step, "next_step", None):
        assert vars(advance)["next_step"] is None
    assert vars(advance)["next_step"] is vars(next_step)["next_step"]


def test_the_page_tells_where_a_bug_was_caught():
    assert all(_caught_at(name) for name in BUGS)
    assert hunt("call-before-mark", seeds_max=0, first=_caught_at("call-before-mark")).seeds == 1


def _caught_at(name):
    """The seed at which it was caught the last time, as the page says; others follow where it is not any more."""
    return [int(seeds) - 1 for seeds in re.findall(rf"^\| `{name}` \|.* (\d+) \|$", PAGE.read_text(), re.MULTILINE)]


def _bug(plant):
    return Bug(name="", breaks=("I1", "I2", "I3", "I9"), rule="", mistake="", plant=plant)


def _code():
    """What each name of the real code stands for: those of modules, of their classes and of their tables."""
    modules = [module for known_as, module in sys.modules.items() if known_as.startswith(OURS)]
    values = list(chain.from_iterable(vars(module).values() for module in modules))
    classes = [vars(value) for value in values if isinstance(value, type) and value.__module__.startswith(OURS)]
    tables = [value for value in values if isinstance(value, dict)]
    return [{name: id(value) for name, value in table.items()} for table in (*map(vars, modules), *classes, *tables)]
