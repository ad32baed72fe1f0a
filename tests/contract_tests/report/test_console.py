"""The last line on a console: what a run comes to."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from contract_tests.report.console import print_result


def last_line(result: dict[str, Any]) -> str:
    told = StringIO()
    print_result(result, Console(file=told, width=200))
    return told.getvalue().splitlines()[-1]


def test_it_counts_and_tells_the_cost(result: dict[str, Any]) -> None:
    line = last_line(result)

    assert "3 violated, 1 inconclusive, 1 skipped, 0 broken" in line
    assert line.endswith("12 requests, at most 345 tokens, 6.8 s, seed 7")


def test_what_was_known_is_told_apart(result: dict[str, Any]) -> None:
    known = next(clause for clause in result["clauses"] if clause["verdict"] == "fail")
    known["deviation"] = {"why": "not mended yet", "link": "", "stale": False}

    assert "3 violated (1 of them known)" in last_line(result)


def test_judging_tells_of_no_requests(result: dict[str, Any]) -> None:
    result["spent"] |= {"requests": 0, "tokens": 0}

    assert last_line(result).endswith("0 broken; nothing was sent")
