from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandbox.settings import SandboxSettingsError, from_environment

PAIR = {"SANDBOX_APP_ID": "app", "SANDBOX_SECRET_KEY": "secret"}


def test_the_environment_is_read():
    settings = from_environment(
        {
            **PAIR,
            "SANDBOX_CREDENTIALS": "two:second,three:third:with colon",
            "SANDBOX_SPEED": "60",
            "SANDBOX_WEBHOOKS": "off",
            "SANDBOX_DETAIL_KNOWS_CARDS": "on",
        }
    )
    assert settings.credentials == {"app": "secret", "two": "second", "three": "third:with colon"}
    assert (settings.speed, settings.webhooks, settings.detail_knows_cards) == (60.0, False, True)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "SANDBOX_APP_ID"),
        ({"SANDBOX_APP_ID": "app"}, "SANDBOX_SECRET_KEY"),
        ({"SANDBOX_CREDENTIALS": "app"}, "SANDBOX_CREDENTIALS"),
        ({**PAIR, "SANDBOX_SPEED": "fast"}, "SANDBOX_SPEED"),
        ({**PAIR, "SANDBOX_SETTLE_S": "inf"}, "SANDBOX_SETTLE_S"),
        ({**PAIR, "SANDBOX_WEBHOOKS": "maybe"}, "SANDBOX_WEBHOOKS"),
        ({**PAIR, "SANDBOX_NOT_FOUND_STATUS": "200"}, "SANDBOX_NOT_FOUND_STATUS"),
    ],
)
def test_a_missing_or_bad_variable_is_named(environment, named):
    with pytest.raises(SandboxSettingsError, match=named):
        from_environment(environment)


def test_settings_do_not_show_secrets():
    assert "secret" not in repr(from_environment(PAIR))


def test_the_program_ends_with_2_and_one_line_when_its_credentials_are_missing():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SANDBOX_")}
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("sandbox: SANDBOX_APP_ID and SANDBOX_SECRET_KEY")
    assert len(ended.stderr.splitlines()) == 1
