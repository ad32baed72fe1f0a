"""The words for verdicts that reports for people share: what a clause came to, and what the whole run did."""

from __future__ import annotations

from typing import Any

from contract_tests.report.result import counts_as_failure

KINDS: dict[str, tuple[str, str]] = {
    "fail": ("✕", "violated"),
    "stale": ("✕", "stale"),
    "error": ("‼", "broken"),
    "warn": ("!", "warning"),
    "known": ("≈", "known"),
    "inconclusive": ("?", "inconclusive"),
    "skip": ("–", "skipped"),
    "pass": ("✓", "passed"),
}
"""Kind of outcome -> (mark, word), the ones to look at first."""
TO_LOOK_AT = ("fail", "stale", "error", "warn")
"""Kinds that somebody should do something about."""


def kind(clause: dict[str, Any], *, strict: bool) -> str:
    """The clause's verdict; ``warn`` for a violation that does not fail the run, ``known`` and ``stale`` for a listed deviation."""
    deviation = clause.get("deviation")
    if deviation:
        return "stale" if deviation["stale"] else "known"
    verdict = str(clause["verdict"])
    return "warn" if verdict == "fail" and not counts_as_failure(clause, strict=strict) else verdict


def kinds(result: dict[str, Any]) -> list[str]:
    """The kind of each clause of a result, in its order."""
    return [kind(clause, strict=result.get("strict", False)) for clause in result["clauses"]]


def remark(clause: dict[str, Any]) -> str:
    """What is to be said beside the verdict: the reason for none, or what the list of deviations says; "" for nothing."""
    deviation = clause.get("deviation")
    if deviation:
        return "listed as a deviation, but it passes: take it out of the file" if deviation["stale"] else str(deviation["why"])
    return str(clause["reason"])


def ending(result: dict[str, Any]) -> str:
    """What the run says of the endpoint, to stand behind its name."""
    summary = result["summary"]
    return {
        "pass": "keeps the contract as far as this run can tell" if summary["pass"] else "could not be judged: nothing was shown",
        "fail": "breaks the contract",
        "error": "could not be judged: the suite itself broke",
    }[str(summary["verdict"])]
