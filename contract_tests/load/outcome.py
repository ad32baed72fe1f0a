"""What a load learnt, as plain data: tallies that one machine can tell another, and the figures of Locust.

Told again and again, the same outcome of the same machine counts once: each replaces the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contract_tests.clauses import Violation
from contract_tests.evidence import Evidence, Finding
from contract_tests.exchange import from_json, to_json

LARGEST = 1_000_000
"""Characters of the exchanges of a finding that is told to another machine; of a larger one only the count is."""

NOT_UNDER_LOAD = {"stream.incremental": "under load a stream that waits for its turn looks the same as one that is held back"}
"""Clauses that are not judged, and why."""

Told = dict[str, Any]


def tell(evidence: Evidence) -> Told:
    """The tallies in which anything happened."""
    told: Told = {}
    for id, tally in evidence.tallies.items():
        if not (tally.judged or tally.violated or tally.inconclusive or tally.skipped or tally.broken):
            continue
        findings = [row for row in map(_finding, tally.findings) if sum(map(len, row["exchanges"])) <= LARGEST]
        told[id] = {
            "judged": tally.judged,
            "violated": tally.violated,
            "inconclusive": tally.inconclusive,
            "skipped": tally.skipped,
            "broken": tally.broken,
            "findings": findings,
        }
    return told


def _finding(finding: Finding) -> Told:
    return {
        "expected": finding.violation.expected,
        "actual": finding.violation.actual,
        "relation": finding.relation,
        "exchanges": [to_json(exchange) for exchange in finding.exchanges],
    }


def add(evidence: Evidence, told: Told) -> None:
    """Add what another machine told to the tallies of ``evidence``."""
    for id, row in told.items():
        tally = evidence.tallies[id]
        tally.judged += row["judged"]
        tally.inconclusive = tally.inconclusive or row["inconclusive"]
        tally.skipped = tally.skipped or row["skipped"]
        tally.broken = tally.broken or row["broken"]
        for found in row["findings"]:
            exchanges = tuple(from_json(line) for line in found["exchanges"])
            tally.add(Finding(Violation(found["expected"], found["actual"]), exchanges, found["relation"]))
        tally.violated += row["violated"] - len(row["findings"])  # those that were counted but not kept


def sum_up(told: Iterable[Told]) -> Told:
    """The tallies of several machines as one; findings beyond those that a tally keeps are left to the reader to drop."""
    whole: Told = {}
    for each in told:
        for id, row in each.items():
            before = whole.get(id)
            whole[id] = row if before is None else _both(before, row)
    return whole


def _both(one: Told, other: Told) -> Told:
    counted = {name: one[name] + other[name] for name in ("judged", "violated", "findings")}
    return {**{name: one[name] or other[name] for name in ("inconclusive", "skipped", "broken")}, **counted}
