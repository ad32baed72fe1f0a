"""Results side by side: which clauses tell endpoints apart, in which order, and in words that no address can tear."""

from __future__ import annotations

import copy
import io
from typing import Any

from rich.console import Console

from contract_tests.report.compare import compare, print_comparison, to_markdown


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
