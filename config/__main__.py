"""`python -m config` prints the table of settings, `python -m config --env` the file `.env.example`."""

from __future__ import annotations

import sys

from config.reference import render_env_example, render_markdown

print(render_env_example() if sys.argv[1:] == ["--env"] else render_markdown(), end="")
