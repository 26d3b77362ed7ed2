from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.cli.shelf import Shelf
from workers.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def environment(monkeypatch, tmp_path, redis_url, namespace) -> dict[str, str]:
    """Complete settings, and no .env of the developer's."""
    variables = {
        "PAYORCH_REDIS_URL": redis_url,
        "PAYORCH_NAMESPACE": namespace,
        "PAYORCH_PROVIDER_BASE_URL": "http://127.0.0.1:9",
        "PAYORCH_PROVIDER_APP_ID": "app",
        "PAYORCH_PROVIDER_SECRET_KEY": "hidden-secret",
        "PAYORCH_WEBHOOK_BASE_URL": "http://127.0.0.1:8080",
        "PAYORCH_WEBHOOK_SECRETS": "hidden-webhook-secret",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return variables


@pytest.fixture
def payorch(environment, capsys) -> Callable[..., Said]:
    """Runs a command in this process."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        printed = capsys.readouterr()
        return Said(status=status, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def shelf(environment) -> Shelf:
    """Puts payments and refusals into the store that the commands look at."""
    return Shelf(environment["PAYORCH_REDIS_URL"], environment["PAYORCH_NAMESPACE"])
