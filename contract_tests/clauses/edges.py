"""Clauses of what only text-generation-inference is known to refuse, or to take: exact bounds, limits that it tells, rules, strict types.

They hold in its dialects alone (the ledger says which); elsewhere the page leaves these values open.
"""

from __future__ import annotations

import spec
from contract_tests.clauses.registry import Outcome, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, OUT_OF_BOUNDS, faulty_are_refused, others_are_accepted
from contract_tests.observation import Observation

BOTH_WAYS = (".edges", ".limit", ".room")
"""How the ids end of statements that say what is refused and what is taken."""


def _faulty_streams_are_refused(seen: Observation) -> Outcome:
    """Judges requests that are wrong on a stream only: where streams are not asked for, they were sent without, and are right."""
    return faulty_are_refused(seen) if seen.asked.stream else NOT_MINE


for _statement in spec.ledger():
    if _statement.testable and _statement.id.endswith(OUT_OF_BOUNDS) and not _statement.id.endswith(".bounds"):
        _bind = clause(_statement.id, about=_statement.id)
        _bind(_faulty_streams_are_refused if _statement.id.endswith(".no-stream") else faulty_are_refused)
        if _statement.id.endswith(BOTH_WAYS):
            _bind(others_are_accepted)

for _id in ("request.types.serde", "request.types.strict"):  # the first also judges what is sent for the second
    clause("request.types.serde", about=_id)(faulty_are_refused)


@clause("errors.validation-status")
def refusal_of_a_value_is_422(seen: Observation) -> Outcome:
    """Also where the types are wrong; what a grammar holds is looked at later, and may be another failure."""
    about = seen.case.about
    of_a_value = about.endswith((*OUT_OF_BOUNDS, ".type", ".required")) and not about.startswith("parameters.grammar.value")
    if not seen.case.faulty or not of_a_value or not 400 <= seen.status < 500 or seen.status == 429:
        return NOT_MINE
    return None if seen.status == 422 else Violation("status 422", seen.brief)
