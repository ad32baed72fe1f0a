"""What ``docs/speed.md`` shows is what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "speed.md"
SHOWN = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", SHOWN)
def test_a_table_of_the_page_is_the_result_of_the_benchmark(name: str) -> None:
    result = (ROOT / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8")

    assert result.partition("\n\n")[2].strip() == SHOWN[name]


def test_each_benchmark_of_the_servers_is_shown() -> None:
    assert {"plain", "sse", "streams", "startup", "memory", "malformed", "check"} == {*SHOWN}
