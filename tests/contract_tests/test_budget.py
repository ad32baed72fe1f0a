"""What a run may spend: limits that hold among threads, turns that are apart, and a pause for all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from contract_tests.budget import Budget, BudgetSpent, tokens_asked
from contract_tests.exchange import Case

CASE = Case.of({"inputs": "x", "parameters": {"max_new_tokens": 7}})


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for the pauses, which are noted and pass at once."""
    now = [100.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("contract_tests.budget.time.monotonic", lambda: now[0])
    monkeypatch.setattr("contract_tests.budget.time.sleep", sleep)
    return pauses


def test_requests_are_as_far_apart_as_the_rate_says(slept: list[float]) -> None:
    budget = Budget(rate=4)
    for _ in range(4):
        budget.spend(CASE)

    assert [0.25, 0.25, 0.25] == slept


def test_without_a_rate_nobody_waits(slept: list[float]) -> None:
    budget = Budget()
    for _ in range(4):
        budget.spend(CASE)

    assert [] == slept


def test_a_pause_that_the_endpoint_asked_for_holds_the_next_request_and_then_the_rate_goes_on(slept: list[float]) -> None:
    budget = Budget(rate=2)
    budget.spend(CASE)
    budget.hold(30)
    budget.spend(CASE)
    budget.spend(CASE)

    assert [30.0, 0.5] == slept


def test_a_limit_is_not_passed_by_many_threads_at_a_time() -> None:
    budget = Budget(max_requests=50)

    def spend(_: int) -> None:
        with suppress(BudgetSpent):
            budget.spend(CASE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, range(200)))

    assert (50, 350) == (budget.requests, budget.tokens)


def test_what_would_pass_the_limit_of_tokens_is_not_sent() -> None:
    budget = Budget(max_tokens=20)
    budget.spend(CASE)
    budget.spend(CASE)

    with pytest.raises(BudgetSpent, match="the budget of 20 tokens is spent"):
        budget.spend(CASE)
    assert (2, 14) == (budget.requests, budget.tokens)


@pytest.mark.parametrize(
    ("case", "tokens"),
    [
        (CASE, 7),
        (Case.of({"inputs": "x", "parameters": {"max_new_tokens": 7, "best_of": 3}}), 21),
        (Case.of({"inputs": "x"}), 100),
        (Case.of({"inputs": 7}, faulty=True), 0),
        (Case(body=b"{"), 0),
    ],
    ids=["said", "best of three", "not said", "faulty", "no JSON"],
)
def test_a_request_costs_what_it_may_generate(case: Case, tokens: int) -> None:
    assert tokens == tokens_asked(case)
