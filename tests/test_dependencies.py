"""What is depended on: an upper bound stands only where its reason does."""

from __future__ import annotations

import re
from pathlib import Path

LINES = (Path(__file__).parents[1] / "pyproject.toml").read_text().splitlines()


def test_an_upper_bound_has_its_reason_beside_it() -> None:
    bounded = [place for place, line in enumerate(LINES) if re.search(r'"[A-Za-z0-9_.\[\]-]+[^"]*(==|<|~=)[^"]*"', line)]
    without = [LINES[place] for place in bounded if "#" not in LINES[place] and not LINES[place - 1].lstrip().startswith("#")]

    assert [] == without
    assert any("schemathesis==" in LINES[place] for place in bounded)
