"""``python -m benchmarks.tables`` puts what was measured last into ``docs/speed.md``, between the marks that name a result."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.report import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
MARKED = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def main() -> None:
    PAGE.write_text(MARKED.sub(_fill, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _fill(found: re.Match[str]) -> str:
    """The result without its title."""
    _, _, text = (RESULTS / f"{found[1]}.md").read_text(encoding="utf-8").partition("\n\n")
    return f"<!-- {found[1]} -->\n{text.strip()}\n<!-- end -->"


if __name__ == "__main__":
    main()
