"""Results side by side: which clauses tell endpoints apart, in which order, and in words that no address can tear."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from contract_tests.report.compare import compare, print_comparison, to_markdown
from contract_tests.report.compare_html import to_html


def other(result: dict[str, Any]) -> dict[str, Any]:
    """The same endpoint with one clause mended and one that it lacks."""
    second = copy.deepcopy(result)
    second["endpoint"]["url"] = "http://other.example/a|b[x]"
    mended = next(it for it in second["clauses"] if it["id"] == "stream.index.counts")
    mended |= {"verdict": "pass", "violated": 0, "violations": []}
    second["clauses"] = [it for it in second["clauses"] if it["id"] != "reply.json"]
    return second


def test_rows_tell_which_endpoint_does_what(result: dict[str, Any]) -> None:
    rows = {row.id: row for row in compare([result, other(result)]).rows}

    assert ("fail", "pass") == rows["stream.index.counts"].outcomes
    assert ("fail", "") == rows["reply.json"].outcomes
    assert not rows["parameters.seed.repeats"].differs


def test_clauses_keep_the_order_of_the_page_also_when_the_first_result_lacks_some(result: dict[str, Any]) -> None:
    comparison = compare([other(result), result])

    assert [clause["id"] for clause in result["clauses"]] == [row.id for row in comparison.rows]


def test_only_rows_that_differ_or_are_violated_are_shown_unless_all_are_asked_for(result: dict[str, Any]) -> None:
    comparison = compare([result, other(result)])
    short, long = to_markdown(comparison), to_markdown(comparison, everything=True)

    assert "2 of 155 clauses differ" in short.replace(str(len(comparison.rows)), "155")
    assert "parameters.seed.repeats" in short
    assert "reply.object" not in short
    assert "reply.object" in long


def test_the_tables_keep_their_shape_whatever_the_address(result: dict[str, Any]) -> None:
    lines = to_markdown(compare([result, other(result)])).splitlines()

    for table in "\n".join(lines).split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1


def test_the_console_names_each_endpoint_and_marks_differences_without_colour(result: dict[str, Any]) -> None:
    text = io.StringIO()
    print_comparison(compare([result, other(result), result]), Console(file=text, width=120, color_system=None))

    assert "A  http://127.0.0.1:8080/" in text.getvalue()
    assert "B  http://other.example/a|b[x] breaks the contract" in text.getvalue()
    assert "≠  stream.index.counts" in text.getvalue()
    (line,) = (line for line in text.getvalue().splitlines() if "stream.index.counts" in line)
    assert ["✕", "violated", "✓", "passed", "✕", "violated"] == line.split()[3:]


def test_one_result_and_many_are_compared_too(result: dict[str, Any]) -> None:
    assert not compare([result]).differing
    assert "Z" == compare([result] * 30).columns[25].letter
    assert 30 == len({column.letter for column in compare([result] * 30).columns})
    assert () == compare([]).rows


# ---------------------------------------------------------------- as a page
SHOWN = "[...document.querySelectorAll('tbody tr')].filter(row => row.offsetParent !== null).length"


@pytest.fixture
def opened(page: Any, result: dict[str, Any], tmp_path: Path) -> Any:
    file = tmp_path / "compared.html"
    hostile = other(result)
    hostile["endpoint"]["url"] = "http://x.test/</style><script>window.hacked = 1</script><img src=https://evil.example/>"
    file.write_text(to_html(compare([result, other(result), hostile])), encoding="utf-8")
    page.open(file.as_uri())
    page.address = file.as_uri()
    return page


def test_the_page_asks_nobody_for_anything_and_runs_no_script(opened: Any) -> None:
    assert [opened.address] == opened.requests
    assert [] == opened.complaints
    assert opened.run("window.hacked") is None
    assert 0 == opened.run("document.scripts.length")


def test_the_page_shows_what_tells_them_apart_and_the_rest_on_demand(opened: Any, result: dict[str, Any]) -> None:
    rows = compare([result, other(result)]).rows
    assert sum(row.tells for row in rows) == opened.run(SHOWN)

    opened.run("document.getElementById('all').click()")

    assert len(rows) == opened.run(SHOWN)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_with_three_endpoints_never_scrolls_sideways(opened: Any, width: int) -> None:
    opened.resize(width)

    assert opened.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_holds_all_that_is_asked_for(result: dict[str, Any]) -> None:
    comparison = compare([result, other(result)])

    assert " checked>" not in to_html(comparison)
    assert " checked>" in to_html(comparison, everything=True)
    assert len(comparison.rows) == len(re.findall("<tr", to_html(comparison))) - 1
