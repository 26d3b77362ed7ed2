"""The example of the documentation is one that is taken."""

from __future__ import annotations

import re
from pathlib import Path

from config.merchants import load_merchants

DOCUMENT = Path(__file__).parents[3] / "docs" / "merchants.md"


def test_the_merchants_file_of_the_documentation_is_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    pairs = iter(range(9))
    file = tmp_path / "merchants.toml"
    file.write_text(re.sub("…", lambda _: f"key-{next(pairs)}", example))
    merchants = load_merchants(file)
    assert set(merchants) == {"shop", "default"}
    assert merchants["shop"].limits.burst == 5
