"""`payorch contracts`: for who has no settings yet."""

from __future__ import annotations

import json

import pytest

from orchestrator.contracts import NAMES, contract


@pytest.fixture
def unset(environment, monkeypatch):
    """Nothing is configured."""
    for name in environment:
        monkeypatch.delenv(name)


def test_all_contracts_are_listed_with_what_they_are(payorch, unset):
    assert [each["name"] for each in payorch("contracts", "--json").json_lines] == list(NAMES)
    assert "status-event" in payorch("contracts").out


@pytest.mark.parametrize("name", NAMES)
def test_one_is_printed_as_it_is(payorch, unset, name):
    assert payorch("contracts", name).json == contract(name)


def test_all_are_written_into_a_directory(payorch, unset, tmp_path):
    assert payorch("contracts", "--out", tmp_path / "new").status == 0
    assert json.loads((tmp_path / "new" / "intent.schema.json").read_text()) == contract("intent")
    assert len(list((tmp_path / "new").iterdir())) == len(NAMES)


@pytest.mark.parametrize("arguments", [("nonsense",), ("intent", "--out", "x"), ("--out", "/dev/null/x")])
def test_what_cannot_be_printed_or_written_is_told(payorch, unset, arguments):
    said = payorch("contracts", *arguments)
    assert (said.status, said.out) == (2, "")
