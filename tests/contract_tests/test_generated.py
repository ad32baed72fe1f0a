"""What Schemathesis draws, and what each case is held to."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from schemathesis import GenerationMode

from contract_tests import strategies
from contract_tests.client import Client
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case
from contract_tests.observation import Asked
from contract_tests.probes import PROFILES, Run
from contract_tests.probes.generated import _cases, _documented, _of_each_kind, send_generated
from mockserver import Config, create_app


def sent(seed: int, *, without: frozenset[str] = frozenset()) -> list[Case]:
    client = Client("http://mock.test/", transport=httpx.WSGITransport(app=create_app(Config()), raise_app_exceptions=False))
    run = Run(client, Evidence(), seed, PROFILES["standard"], without=without)
    cases: list[Case] = []
    ask = run.client.send
    run.client.send = lambda case: cases.append(case) or ask(case)  # type: ignore[func-returns-value,method-assign]
    send_generated.send(run)
    return cases


def wrong(body: Any) -> list[tuple[str, str]]:
    return [(case.about, case.subject) for case in _cases(_documented(body, ()), GenerationMode.NEGATIVE)]


@pytest.mark.parametrize("seed", range(4))
def test_both_right_and_wrong_cases_are_sent(seed: int) -> None:
    faulty = [case.faulty for case in sent(seed)]

    assert True in faulty
    assert False in faulty


@pytest.mark.parametrize("seed", range(4))
def test_a_case_is_wrong_if_the_document_says_so(seed: int) -> None:
    for case in sent(seed):
        assert case.faulty != (case.payload is not None and strategies.is_valid(case.payload))


def test_what_an_endpoint_lacks_is_not_sent() -> None:
    absent = frozenset({"top_p", "details", "stop", "seed"})
    bodies = [case.payload for seed in range(3) for case in sent(seed, without=absent)]
    named = {name for body in bodies if isinstance(body, dict) for name in Asked(body).parameters}

    assert "max_new_tokens" in named
    assert absent.isdisjoint(named)


@pytest.mark.parametrize(
    ("body", "about"), [(b"\xff", "errors.not-utf8"), (b"J;|", "errors.not-json"), (b"7", "errors.not-an-object"), (b"{}", None)]
)
def test_bytes_break_what_they_are_not(body: bytes, about: str | None) -> None:
    assert wrong(body) == ([(about, "")] if about else [])


def test_one_thing_that_nobody_could_mean_is_refused_and_the_rest_must_break_nothing() -> None:
    good = {"max_new_tokens": 2}

    assert [("parameters.top_k.type", "top_k")] == wrong({"inputs": "x", "parameters": {**good, "top_k": [1]}})
    assert [("", "")] == wrong({"inputs": "x", "parameters": {**good, "top_k": -1}})
    assert [("", "")] == wrong({"inputs": 7, "parameters": {**good, "top_k": [1]}})
    assert [] == wrong({"inputs": "x", "parameters": good, "extra": [1]})


@pytest.mark.parametrize("limit", [9, 10**6, 1e6, "900000"])
def test_nothing_is_sent_that_a_lenient_server_would_write_for_ever_on(limit: object) -> None:
    assert [] == wrong({"inputs": "x", "parameters": {"top_k": -1, "max_new_tokens": limit}})


def test_each_kind_has_its_turn() -> None:
    cases = [Case(body=bytes([place]), about=about) for place, about in enumerate("aaabbc")]

    assert ["a", "b", "c", "a", "b", "a"] == [case.about for case in _of_each_kind([*cases, cases[0]])]
