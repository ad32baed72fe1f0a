"""What a run has learnt: for each clause how often it judged, what it found, why it did not judge.

Subjects are judged as they come and then let go, so memory does not grow with the length of a run.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from contract_tests.clauses import CLAUSES, Clause, Skip, Violation, judge
from contract_tests.exchange import Exchange, shortened
from contract_tests.observation import Group, Observation

KEPT = 5
"""Violations of one clause that are kept, the smallest first."""
KEPT_BYTES, KEPT_BYTES_LEAST = 131_072, 4_096
"""How much is kept of all the replies of a violation together, and of one of many: more than any report shows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation and the exchanges that show it, the one to repeat last."""

    violation: Violation
    exchanges: tuple[Exchange, ...]
    relation: str = ""

    @property
    def size(self) -> tuple[int, int]:
        return max(exchange.case.size for exchange in self.exchanges)


@dataclass(slots=True)
class Tally:
    """The state of one clause. ``verdict`` follows from the counts alone."""

    clause: Clause
    judged: int = 0
    violated: int = 0
    findings: list[Finding] = field(default_factory=list)
    inconclusive: str = ""
    skipped: str = ""
    broken: str = ""

    @property
    def verdict(self) -> str:
        if self.broken:
            return "error"
        if self.violated:
            return "fail"
        if self.judged:
            return "pass"
        return "inconclusive" if self.inconclusive else "skip"

    @property
    def reason(self) -> str:
        """Why it is not a pass; "" for pass and fail."""
        match self.verdict:
            case "error":
                return self.broken
            case "inconclusive":
                return self.inconclusive
            case "skip":
                return self.skipped or "nothing in this run showed it"
        return ""

    def add(self, finding: Finding) -> None:
        self.violated += 1
        self.keep(finding)

    def keep(self, finding: Finding) -> None:
        """Keep ``finding`` if it is among the smallest, without counting it."""
        if len(self.findings) == KEPT and finding.size >= self.findings[-1].size:
            return
        limit = max(KEPT_BYTES_LEAST, KEPT_BYTES // len(finding.exchanges))
        finding = replace(finding, exchanges=tuple(shortened(exchange, limit) for exchange in finding.exchanges))
        self.findings = sorted([*self.findings, finding], key=lambda found: found.size)[:KEPT]

    def merge(self, other: Tally) -> None:
        """Add what another tally of the same clause holds; of reasons the earlier is kept."""
        self.judged += other.judged
        self.violated += other.violated
        self.findings = sorted([*self.findings, *other.findings], key=lambda found: found.size)[:KEPT]
        self.inconclusive = self.inconclusive or other.inconclusive
        self.skipped = self.skipped or other.skipped
        self.broken = self.broken or other.broken


class Evidence:
    """The tallies of a run, in the page's order."""

    def __init__(self, clauses: Mapping[str, Clause] = CLAUSES) -> None:
        self.tallies = {id: Tally(clause) for id, clause in clauses.items()}
        self._concerned: dict[tuple[str, ...], list[Tally]] = {}

    def observe(self, exchange: Exchange) -> Observation:
        """Judge one exchange by every clause that judges exchanges, and return it as observed."""
        seen = Observation(exchange)
        self._judge(seen, (exchange,))
        return seen

    def relate(self, relation: str, members: Iterable[Observation], about: str = "") -> bool:
        """Judge observations that belong together by the clauses of their relation; whether one of these could."""
        group = Group(relation, tuple(members), about)
        return self._judge(group, tuple(member.exchange for member in group.members))

    def merge(self, other: Evidence) -> None:
        """Add what ``other`` found behind what was found here."""
        for id, theirs in other.tallies.items():
            self.tallies[id].merge(theirs)

    def _judge(self, subject: Observation | Group, exchanges: tuple[Exchange, ...]) -> bool:
        kinds = subject.kinds
        if kinds not in self._concerned:
            self._concerned[kinds] = [tally for tally in self.tallies.values() if not tally.clause.judges.keys().isdisjoint(kinds)]
        judged = False
        for tally in self._concerned[kinds]:
            try:
                outcome = judge(tally.clause, subject)
            except Exception:
                tally.broken = tally.broken or traceback.format_exc(limit=-2)
                continue
            if isinstance(outcome, Skip):
                if outcome.inconclusive:
                    tally.inconclusive = tally.inconclusive or outcome.reason
                else:
                    tally.skipped = tally.skipped or outcome.reason
                continue
            judged = True
            tally.judged += 1
            if outcome is not None:
                tally.add(Finding(outcome, exchanges, subject.relation if isinstance(subject, Group) else ""))
        return judged
