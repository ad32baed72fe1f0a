"""Several requests at a time: the same requests, the same verdicts, and a budget for all of them together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract_tests.budget import Budget
from contract_tests.client import Client
from contract_tests.evidence import Evidence
from contract_tests.jobs import ALONE, TEACHES, UNTAUGHT, Jobs, _stages
from contract_tests.probes import PROBES, PROFILES, Probe, Run
from mockserver import Config, create_app

Check = Callable[..., dict[str, Any]]


def run_against(app: Any, *, max_requests: int | None = None) -> Run:
    transport = httpx.WSGITransport(app=app, raise_app_exceptions=False)
    client = Client("http://mock.test/", transport=transport, budget=Budget(max_requests=max_requests))
    return Run(client, Evidence(), 1, PROFILES["quick"])


def told(result: dict[str, Any]) -> list[Any]:
    """What a result says of each clause, without times."""
    return [
        (
            it["id"],
            it["verdict"],
            it["reason"],
            it["judged"],
            it["violated"],
            [(v["actual"], v["case"]) for v in it["violations"]],
        )
        for it in result["clauses"]
    ]


@pytest.mark.parametrize("fault", ["", "stream-text-differs", "stream-index-gap"])
def test_verdicts_do_not_depend_on_the_number_of_jobs(fault: str, check_mock: Check) -> None:
    faults = [fault] if fault else []
    one, four = (check_mock(*faults, profile="quick", seed=3, jobs=jobs) for jobs in (1, 4))

    assert told(one) == told(four)
    assert one["spent"]["requests"] == four["spent"]["requests"]
    assert one["summary"] == four["summary"]


def test_two_jobs_have_two_requests_under_way() -> None:
    app = create_app(Config())
    both = threading.Barrier(2)
    begun = threading.Event()
    met: list[bool] = []

    def slow(environ: Any, start_response: Any) -> Any:
        if threading.current_thread().name.startswith("probe"):
            begun.set()
        if not met and begun.is_set():
            both.wait(20)  # breaks, and fails the run, when no other request comes
            met.append(True)
        return app(environ, start_response)

    jobs = Jobs(run_against(slow), 2)
    jobs.complete()

    assert met


def test_what_others_build_on_or_what_watches_the_time_is_sent_alone() -> None:
    stages = list(_stages(PROBES))

    assert sorted(probe.name for stage in stages for probe in stage) == sorted(probe.name for probe in PROBES)
    assert ["example"] == [probe.name for probe in stages[0]]
    assert {TEACHES, *UNTAUGHT} == {probe.name for probe in stages[1]}
    assert {probe.name for stage in stages if len(stage) > 1 for probe in stage}.isdisjoint(ALONE)
    assert {probe.name for probe in PROBES} >= ALONE


@pytest.mark.parametrize("name", sorted(UNTAUGHT))
def test_a_probe_that_is_sent_meanwhile_does_not_ask_what_is_learned(name: str) -> None:
    run = run_against(create_app(Config()))
    run.refused = None  # type: ignore[assignment]  # whoever asks breaks

    next(probe for probe in PROBES if probe.name == name).send(run)

    assert run.client.budget.requests > 0


@pytest.mark.parametrize("count", [1, 3])
def test_the_budget_is_that_of_all_jobs_together(count: int) -> None:
    run = run_against(create_app(Config()), max_requests=60)
    jobs = Jobs(run, count)
    jobs.complete()

    assert 60 == run.client.budget.requests
    assert "the budget of 60 requests is spent" == jobs.ending


@pytest.mark.parametrize("count", [1, 3])
def test_a_probe_that_breaks_is_told_where_it_is_asked_for_and_stops_no_other(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: Run) -> None:
        raise ZeroDivisionError

    broken = Probe("broken", "breaks", break_down)
    monkeypatch.setattr("contract_tests.jobs.PROBES", (*PROBES[:3], broken, PROBES[3]))
    run = run_against(create_app(Config()))
    jobs = Jobs(run, count)
    with pytest.raises(ZeroDivisionError):
        jobs.send(broken)

    assert "" == jobs.send(PROBES[3])
    assert run.evidence.tallies["headers.use-cache.type"].judged
