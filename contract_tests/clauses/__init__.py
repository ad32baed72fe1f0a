"""The clauses, one file for each section of the page; what is checked stands beside the statement that it is checked for.

Clauses are pure: they look at what was observed and send nothing.
So the same clause judges a live run, a recording, a load test and a case that Schemathesis drew.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import spec
from contract_tests.clauses import (  # noqa: F401 (they register)
    best_of,
    details,
    edges,
    errors,
    forced,
    grammar,
    headers,
    laws,
    membership,
    parameters,
    penalties,
    reply,
    request,
    sampling,
    stop,
    stream,
    together,
    tokens,
    truncate,
    twins,
)
from contract_tests.clauses.registry import REGISTRY, Clause, Outcome, Skip, Violation, judge

ALL = MappingProxyType({statement.id: REGISTRY[statement.id] for statement in spec.ledger() if statement.id in REGISTRY})
"""The clauses of all dialects by id, in the page's order."""


def clauses_of(dialect: str) -> Mapping[str, Clause]:
    """The clauses that hold in ``dialect``, by id."""
    return MappingProxyType({statement.id: ALL[statement.id] for statement in spec.statements(dialect) if statement.id in ALL})


CLAUSES = clauses_of("documented")
"""The clauses of the page as it is written, by id."""

__all__ = ["ALL", "CLAUSES", "Clause", "Outcome", "Skip", "Violation", "clauses_of", "judge"]
