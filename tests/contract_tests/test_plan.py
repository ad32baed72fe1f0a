"""The plan says what a run would spend, and sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import spec
from contract_tests.budget import Budget
from contract_tests.clauses import clauses_of
from contract_tests.contract_run import make_budget
from contract_tests.plan import plan
from contract_tests.settings import Settings

NOWHERE = "http://endpoint.invalid/"


@pytest.mark.parametrize("profile", ["quick", "standard"])
def test_a_run_spends_about_what_was_planned(profile: str, check_mock: Callable[..., dict[str, Any]]) -> None:
    rows = plan(Settings(NOWHERE, profile=profile, seed=1), Budget())
    spent = check_mock(profile=profile, seed=1)["spent"]

    assert spent["requests"] == pytest.approx(sum(row.requests for row in rows), rel=0.05)
    assert spent["tokens"] == pytest.approx(sum(row.tokens for row in rows), rel=0.1)


@pytest.mark.parametrize("dialect", spec.DIALECTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_standard_run_takes_at_most_four_requests_a_clause(seed: int, dialect: str) -> None:
    rows = plan(Settings(NOWHERE, dialect=dialect, seed=seed), Budget())

    assert sum(row.requests for row in rows) <= 4 * len(clauses_of(dialect))


@pytest.mark.parametrize("dialect", spec.DIALECTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_quick_plan_reaches_every_probe_with_what_may_be_spent_beyond_this_machine(seed: int, dialect: str) -> None:
    settings = Settings(NOWHERE, dialect=dialect, profile="quick", seed=seed)
    rows = plan(settings, make_budget(settings, remote=True))

    assert [] == [row.probe for row in rows if row.cut]
    assert [] == [row.probe for row in rows if not row.requests and (row.probe, dialect) != ("edges", "documented")]
    assert sum(row.requests for row in rows) < 290, "there is no room for requests that are asked again"


def test_a_quick_run_fits_what_may_be_spent_beyond_this_machine(check_mock: Callable[..., dict[str, Any]]) -> None:
    budget = make_budget(Settings(NOWHERE), remote=True)
    spent = check_mock(profile="quick", seed=2)["spent"]

    assert (300, 20_000) == (budget.max_requests, budget.max_tokens)
    assert spent["requests"] <= 300


def test_a_plan_ends_where_the_budget_does() -> None:
    budget = Budget(max_requests=50)
    rows = plan(Settings(NOWHERE, seed=1), budget)

    assert 50 == budget.requests == sum(row.requests for row in rows)


def test_what_is_declared_absent_is_not_planned() -> None:
    def requests(*without: str) -> int:
        return sum(row.requests for row in plan(Settings(NOWHERE, seed=1, without=without), Budget()))

    assert requests("grammar", "stop") < requests()
