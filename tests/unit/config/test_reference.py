import subprocess
import sys
from pathlib import Path

from config.reference import render_env_example, render_markdown
from config.settings import Settings, variable

ROOT = Path(__file__).parents[3]


def test_table_has_each_variable_once():
    table = render_markdown()
    for name in Settings.model_fields:
        assert table.count(f"| `{variable(name)}` |") == 1


def test_table_shows_defaults_and_values():
    rows = {line.split("`")[1]: line for line in render_markdown().splitlines() if line.startswith("| `PAYORCH")}
    assert "| required |" in rows["PAYORCH_REDIS_URL"]
    assert "| `60,300,900,1800,3600` | list of whole number |" in rows["PAYORCH_POLL_SCHEDULE_S"]
    assert "| `true` | true, false |" in rows["PAYORCH_CONFIRM_SUCCESS_BY_READ"]
    assert "| `auto` | `auto`, `json`, `console` |" in rows["PAYORCH_LOG_FORMAT"]
    assert "list of secret" in rows["PAYORCH_WEBHOOK_SECRETS"]
    assert "| – | text |" in rows["PAYORCH_MERCHANTS_FILE"]


def test_example_file_is_the_generated_one():
    assert (ROOT / ".env.example").read_text() == render_env_example(), "run: python -m config --env > .env.example"


def test_example_file_holds_no_secret_and_every_variable():
    lines = render_env_example().splitlines()
    assert "PAYORCH_PROVIDER_SECRET_KEY=" in lines
    assert "PAYORCH_WEBHOOK_SECRETS=" in lines
    names = {line.lstrip("#").split("=")[0] for line in lines if line.lstrip("#").startswith("PAYORCH_")}
    assert names == {variable(name) for name in Settings.model_fields}


def test_module_prints_the_table():
    printed = subprocess.run(
        [sys.executable, "-m", "config"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed == render_markdown()
