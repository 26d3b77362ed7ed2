"""Every decision, trap and test vector of the provider's contract is named by a test, or said here not to apply."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DECISIONS = [f"d{number:02}" for number in range(1, 18)]
TRAPS = [f"t{number:02}" for number in range(1, 49)]
VECTORS = [f"vector_{number}" for number in range(1, 19)]
# What this version does not do, and so cannot do wrong.
NOT_APPLICABLE = {
    "t31": "Contacts are not made by this version: a method that needs one is refused by the provider, in its words.",
}
_MARK = re.compile(r"(?<![a-z0-9])([dt][0-9]{2}|vector_[0-9]{1,2})(?![0-9a-z])")


def names_of_tests() -> list[str]:
    """The functions that pytest would collect, by their names."""
    return [
        node.name
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def marks_in(name: str) -> set[str]:
    """The decisions, traps and vectors that the name of a test carries."""
    return set(_MARK.findall(name.removeprefix("test_").replace("_", " ").replace("vector ", "vector_")))


NAMED = {mark for name in names_of_tests() for mark in marks_in(name)}


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("test_t08_quantity_is_a_text", {"t08"}),
        ("test_vector_9_d11_an_email", {"vector_9", "d11"}),
        ("test_vector_12_two_refunds", {"vector_12"}),
        ("test_the_t800_and_3d02", set()),
        ("test_i1_a_capture", set()),
    ],
)
def test_the_marks_of_a_name_are_read(name, marks):
    assert marks_in(name) == marks


@pytest.mark.parametrize("mark", [*DECISIONS, *TRAPS, *VECTORS])
def test_each_is_named_by_a_test_or_does_not_apply(mark):
    assert (mark in NAMED) != (mark in NOT_APPLICABLE)


def test_no_test_names_one_that_does_not_exist():
    assert {*DECISIONS, *TRAPS, *VECTORS} >= NAMED
    assert set(NOT_APPLICABLE) <= {*DECISIONS, *TRAPS, *VECTORS}
    assert all(NOT_APPLICABLE.values())
