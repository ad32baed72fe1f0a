"""Violations are made smaller where that is allowed: what is left is what it takes, and the budget holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract_tests.replay import read_case
from contract_tests.shrinking import MOST_TRIES, smaller_payloads
from mockserver import Config, create_app

Check = Callable[..., dict[str, Any]]
COUNTS = "details.generated_tokens.counts"
TEXT = "stream.same-text"


def broken(when: Callable[[dict[str, Any]], bool], change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The mock, whose replies without stream are changed when the parameters are so."""
    app = create_app(Config())

    def server(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        told: list[Any] = []
        reply = b"".join(app(environ, lambda status, headers, _=None: told.extend((status, headers))))
        status, headers = told
        if status.startswith("200") and reply.startswith(b"{") and when(json.loads(body).get("parameters", {})):
            reply = json.dumps(change(json.loads(reply))).encode()
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, headers)
        return [reply]

    return server


def one_too_many(whole: dict[str, Any]) -> dict[str, Any]:
    details = whole.get("details")
    if not details:
        return whole
    return {**whole, "details": {**details, "generated_tokens": details["generated_tokens"] + 1}}


def needs_two(given: dict[str, Any]) -> bool:
    return "repetition_penalty" in given and given.get("do_sample") is True


def smallest(result: dict[str, Any], id: str) -> dict[str, Any]:
    case: dict[str, Any] = next(clause for clause in result["clauses"] if clause["id"] == id)["violations"][0]["case"]
    return case


@pytest.fixture(scope="module")
def plain_requests(check_wsgi: Check) -> int:
    """What a run costs that makes nothing smaller."""
    return int(check_wsgi(broken(needs_two, one_too_many), seed=0, select=(COUNTS,))["spent"]["requests"])


def test_what_is_left_of_a_draw_is_what_it_takes(check_wsgi: Check, plain_requests: int, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    result = check_wsgi(broken(needs_two, one_too_many), seed=0, select=(COUNTS,), shrink=True, json=results)
    body = read_case(results, COUNTS).cases[-1].payload

    assert plain_requests < result["spent"]["requests"] <= plain_requests + MOST_TRIES
    assert {"max_new_tokens", "details", "repetition_penalty", "do_sample"} == body["parameters"].keys()
    assert 1 == body["parameters"]["max_new_tokens"] == len(body["inputs"].strip())


def test_twins_stay_twins_and_the_same_draw(check_wsgi: Check) -> None:
    def shout(whole: dict[str, Any]) -> dict[str, Any]:
        return {**whole, "generated_text": whole["generated_text"] + "!"}

    case = smallest(check_wsgi(broken(lambda given: "top_k" in given, shout), seed=3, select=(TEXT,), shrink=True), TEXT)

    assert "twin" == case["relation"]
    assert {"max_new_tokens", "do_sample", "seed", "top_k", "details"} >= case["body"]["parameters"].keys() >= {"do_sample", "top_k"}


def test_the_budget_holds_for_it_too(check_wsgi: Check, plain_requests: int) -> None:
    most = plain_requests + 3
    result = check_wsgi(broken(needs_two, one_too_many), seed=0, select=(COUNTS,), shrink=True, max_requests=most)

    assert most == result["spent"]["requests"]
    assert "fail" == result["summary"]["verdict"]


def test_a_step_never_makes_a_request_larger() -> None:
    payload = {"inputs": "Hello you", "parameters": {"max_new_tokens": 8, "top_k": 2, "stop": ["a", "b"], "seed": 1}}

    def size(it: dict[str, Any]) -> int:
        return len(json.dumps(it))

    steps = list(smaller_payloads(payload, frozenset({"max_new_tokens"})))
    assert steps
    assert all(size(step) <= size(payload) and step["inputs"] and "max_new_tokens" in step["parameters"] for step in steps)


def reached(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step in smaller_payloads(payload, frozenset()):
        yield step
        yield from reached(step)


def test_steps_come_to_an_end() -> None:
    assert list(reached({"inputs": "ab", "parameters": {"max_new_tokens": 2, "stop": ["a", "b"]}}))
