"""Each dialect of the suite against the mock of each dialect: only its own passes, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

import spec
from mockserver import Config, create_app

Check = Callable[..., dict[str, Any]]

# served, asked: clauses that must accuse
DIFFERENCES = {
    ("documented", "tgi"): {
        "reply.list",
        "errors.two-forms",
        "errors.in-stream.event",
        "headers.compute",
        "parameters.top_p.edges",
        "parameters.best_of.edges",
        "request.types.serde",
    },
    ("documented", "hosted"): {"reply.list", "errors.two-forms", "errors.in-stream.event", "headers.request-id"},
    ("tgi", "documented"): {"reply.object", "errors.body", "parameters.stop.inside-token"},
    ("tgi", "hosted"): {"headers.request-id"},
    ("hosted", "documented"): {"reply.object", "errors.body", "parameters.stop.inside-token"},
    ("hosted", "tgi"): {"headers.compute"},
}


@pytest.fixture(scope="module")
def accused(check_wsgi: Check) -> Callable[[str, str], set[str]]:
    @cache
    def ask(served: str, asked: str) -> set[str]:
        result = check_wsgi(create_app(Config(dialect=served)), dialect=asked, seed=1)
        return {clause["id"] for clause in result["clauses"] if clause["verdict"] in ("fail", "error")}

    return ask


@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_the_mock_of_a_dialect_passes_in_it(accused: Callable[[str, str], set[str]], dialect: str) -> None:
    assert accused(dialect, dialect) == set()


@pytest.mark.parametrize(("pair", "named"), DIFFERENCES.items(), ids=lambda value: "-".join(value) if len(value) == 2 else "")
def test_the_mock_of_another_dialect_fails_by_name(
    accused: Callable[[str, str], set[str]], pair: tuple[str, str], named: set[str]
) -> None:
    assert named <= accused(*pair)


@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_every_testable_statement_of_a_dialect_has_a_clause(dialect: str) -> None:
    from contract_tests.clauses import clauses_of

    assert {statement.id for statement in spec.statements(dialect) if statement.testable} == clauses_of(dialect).keys()
