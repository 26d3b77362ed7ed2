"""Every test that the documentation names is there: a table of promises may not outlive its evidence."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = ("docs/faults.md", "docs/promises.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[([^\]]+)\])?`((?:, `\[[^\]]+\]`)*)")

VALUE = re.compile(r"\[([^\]]+)\]")


@cache
def functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions)


def named_in(document: str) -> list[tuple[str, str, list[str]]]:
    """File, test and values of parameters of each test that a document names."""
    found = NAMED.findall((ROOT / document).read_text("utf-8"))
    return [
        (path, test, [*filter(None, [value]), *re.findall(r"\[([^\]]+)\]", more)]) for path, test, value, more in found
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_exists_with_its_parameters(document):
    missing = [
        f"{path}::{test} {values}"
        for path, test, values in named_in(document)
        if not (ROOT / path).exists()
        or test not in functions_in(path)
        or any(f'"{value}"' not in (ROOT / path).read_text("utf-8") for value in values)
    ]

    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_test_is_named_in_another_way_and_so_passed_over(document):
    text = (ROOT / document).read_text("utf-8")

    named = sum(1 for _ in NAMED.finditer(text))

    assert named == text.count("::test_")
    assert named
