"""What a clause is, and the table of all: a pure function from what was observed to a violation or nothing, bound to a statement.

A clause answers with

- ``None``: it looked, and the promise was kept;
- ``Violation``: it was broken, with what was expected and what came;
- ``Skip``: nothing here to judge (silently), or it cannot be known, with the reason.

The table is filled when ``contract_tests.clauses`` is imported and is closed then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import spec
from contract_tests.observation import Group, Observation, kind_about


@dataclass(frozen=True, slots=True)
class Violation:
    """The server broke the statement. Both fields are sentences or values for people."""

    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Not judged. ``reason`` is told only if nothing else was judged; ``inconclusive``: it was tried and cannot be known yet."""

    reason: str
    inconclusive: bool = False


Outcome = Violation | Skip | None
Subject = Observation | Group
Judge = Callable[[Subject], Outcome]
S = TypeVar("S", Observation, Group)


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement and what judges it: ``judges`` holds the functions for each kind of subject."""

    statement: spec.Statement
    judges: dict[str, list[Judge]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.statement.id


REGISTRY: dict[str, Clause] = {}


def clause(*ids: str, of: str = "one", about: str = "") -> Callable[[Callable[[S], Outcome]], Callable[[S], Outcome]]:
    """Bind a function to the statements ``ids``: ``of`` "one" judges each Observation, any other word the Groups of that relation.

    With ``about`` it judges only the observations of what was sent to try the statement of that id.
    KeyError when the ledger lacks the statement; ValueError when it is marked as not testable.
    """

    kind = kind_about(about) if about else of

    def bind(judge: Callable[[S], Outcome]) -> Callable[[S], Outcome]:
        for id in ids:
            statement = spec.statement(id)
            if not statement.testable:
                raise ValueError(f"statement `{id}` is marked as not testable ({statement.reason}): it cannot have a clause")
            entry = REGISTRY.setdefault(id, Clause(statement))
            entry.judges.setdefault(kind, []).append(judge)  # type: ignore[arg-type]  # the kind tells which subject it takes
        return judge

    return bind


def judge(entry: Clause, subject: Subject) -> Outcome:
    """The outcome of one clause on one subject: the first violation, else None if anything was judged, else the first Skip."""
    skip: Skip | None = None
    judged = False
    for kind in subject.kinds:
        for function in entry.judges.get(kind, ()):
            outcome = function(subject)
            if outcome is None:
                judged = True
            elif isinstance(outcome, Violation):
                return outcome
            else:
                skip = skip or outcome
    return None if judged else skip or Skip("")
