"""The result for people: one line a clause in the page's order, then each violation, then what it comes to."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

import spec
from contract_tests.report.result import counts_as_failure

CONFLICTS = {statement.id: statement.conflict for statement in spec.ledger() if statement.conflict}
"""Where the page contradicts itself or known servers, by statement: who reads a violation may want to know."""
MARKS = {
    "pass": ("ok", "green"),
    "fail": ("FAIL", "bold red"),
    "skip": ("skip", "dim"),
    "inconclusive": ("open", "yellow"),
    "error": ("ERROR", "bold magenta"),
}


def _print(console: Console, *parts: tuple[str, str] | str) -> None:
    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)


def print_result(result: dict[str, Any], console: Console) -> None:
    """Write the whole report to ``console``; colours and width are its own."""
    width = max((len(clause["id"]) for clause in result["clauses"]), default=0)
    section = ""
    for clause in result["clauses"]:
        if clause["section"] != section:
            section = clause["section"]
            _print(console, "\n", (section, "bold"))
        _print_line(clause, width, console, strict=result["strict"])
    for clause in result["clauses"]:
        if clause["verdict"] in ("fail", "error") and "deviation" not in clause:
            _print_violations(clause, console, strict=result["strict"])
    _print_summary(result, console)


def _print_line(clause: dict[str, Any], width: int, console: Console, *, strict: bool) -> None:
    mark, style = MARKS[clause["verdict"]]
    deviation = clause.get("deviation")
    if deviation:
        mark, style = ("STALE", "bold red") if deviation["stale"] else ("known", "yellow")
    elif clause["verdict"] == "fail" and not counts_as_failure(clause, strict=strict):
        mark, style = "warn", "yellow"
    judged = f"judged {clause['judged']}" if clause["judged"] else clause["reason"].strip().rpartition("\n")[2]
    if deviation:
        judged = (
            "listed as a deviation, but it passes: take it out of the file"
            if deviation["stale"]
            else f"known: {deviation['why']}"
        )
    elif clause["violated"]:
        judged = f"violated in {clause['violated']} of {clause['judged']}: {clause['sentence']}"
    _print(console, (f"  {mark:<5} ", style), f"{clause['id']:<{width}}  ", (judged, "dim"))


def _print_violations(clause: dict[str, Any], console: Console, *, strict: bool) -> None:
    _, style = MARKS[clause["verdict"]]
    level = clause["level"] if counts_as_failure(clause, strict=strict) else f"{clause['level']}, does not fail the run"
    _print(console, "\n", (clause["id"], style), f" ({level}; {clause['basis']}; {clause['source']})")
    _print(console, f"  statement: {clause['sentence']}")
    if clause["verdict"] == "error":
        _print(console, f"  the suite itself broke: {clause['reason']}")
        return
    violation = clause["violations"][0]
    _print(console, f"  expected:  {violation['expected']}")
    _print(console, f"  actual:    {violation['actual']}")
    for line in violation["curl"].split("\n"):
        _print(console, f"  repeat:    {line}")
    conflict = CONFLICTS.get(clause["id"])
    if conflict:
        _print(console, f"  known:     {conflict}")


def _print_summary(result: dict[str, Any], console: Console) -> None:
    summary, spent = result["summary"], result["spent"]
    refused = result["endpoint"]["capabilities"]["refused"]
    if result["endpoint"]["capabilities"]["without"]:
        _print(console, "\n", f"declared absent: {', '.join(result['endpoint']['capabilities']['without'])}")
    if refused:
        _print(console, "\n", f"refused by the endpoint, and left out of the other requests: {', '.join(refused)}")
    known = sum(clause["verdict"] == "fail" and "deviation" in clause for clause in result["clauses"])
    counts = ", ".join(
        (
            f"{summary['pass']} passed",
            f"{summary['fail']} violated" + (f" ({known} of them known)" if known else ""),
            f"{summary['inconclusive']} inconclusive",
            f"{summary['skip']} skipped",
            f"{summary['error']} broken",
        )
    )
    style = {"pass": "bold green", "fail": "bold red", "error": "bold magenta"}[summary["verdict"]]
    words = {
        "pass": "keeps the contract as far as this run can tell" if summary["pass"] else "nothing could be judged",
        "fail": "breaks the contract",
        "error": "could not be judged: the suite itself broke",
    }
    _print(console, "\n", (f"{result['endpoint']['url']} {words[summary['verdict']]}", style))
    sent = f"{spent['requests']} requests, at most {spent['tokens']} tokens, {spent['seconds']:.1f} s, seed {result['seed']}"
    cost = sent if spent["requests"] else "nothing was sent"
    _print(console, f"{counts}; {cost}")
