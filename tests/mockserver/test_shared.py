"""Several workers and one Redis: a request to any of them sees the same world."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from contract_tests.endpoint import local_fake
from mockserver import Config, create_app
from mockserver.scenario.pacing import VirtualClock
from mockserver.store import PAUSE

HI = {"inputs": "hi", "parameters": {"max_new_tokens": 4, "do_sample": True}}


@pytest.fixture
def workers(redis_url: str) -> Callable[..., list[FlaskClient]]:
    """The clients of several workers with the same settings."""
    return lambda count=2, **settings: [create_app(Config(state=redis_url, **settings)).test_client() for _ in range(count)]


def text(client: FlaskClient, prompt: str = "ping", **headers: str) -> str:
    answer: str = client.post("/", json={"inputs": prompt}, headers=headers).get_json()["generated_text"]
    return answer


def test_workers_share_what_they_keep(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    first, again = one.post("/", json=HI), other.post("/", json=HI)

    assert first.data == again.data
    assert "cache" == again.headers["x-compute-type"]


def test_workers_share_the_state_of_a_model(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers(cold=30.0)
    one.post("/", json=HI)

    assert "loading" == other.get("/_mock/models").json[0]["state"]


def test_what_one_worker_is_told_all_answer(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    one.post("/_mock/scripts", json={"rules": [{"prompt": "ping", "reply": "pong"}]})
    other.post("/_mock/scripts", json={"rules": [{"prompt": "more", "reply": "yes"}]})

    assert ["pong", "pong", "yes"] == [text(one), text(other), text(one, "more")]
    assert ["rules[0]", "rules[1]"] == one.get("/_mock/scripts").json["rules"]


def test_calls_of_a_rule_are_counted_over_all_workers(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    rules = [{"prompt": "ping", "call": call, "reply": str(call)} for call in (1, 2, 3)]
    one.post("/_mock/scripts", json={"rules": rules})

    assert ["1", "2", "3"] == [text(one), text(other), text(one)]


def test_calls_of_a_rule_in_a_file_are_counted_over_all_workers(
    workers: Callable[..., list[FlaskClient]], tmp_path: Path
) -> None:
    script = tmp_path / "answers.yaml"
    script.write_text("rules: [{prompt: ping, times: 1, reply: once}, {prompt: ping, reply: then}]")
    one, other = workers(script=str(script))

    assert ["once", "then", "then"] == [text(one), text(other), text(one)]


def test_a_fault_strikes_so_many_requests_whichever_worker_they_come_to(workers: Callable[..., list[FlaskClient]]) -> None:
    clients = workers(4)
    clients[0].post("/_mock/faults", json={"name": "status-202", "times": 7})
    with ThreadPoolExecutor(4) as pool:
        codes = [
            *pool.map(lambda client: client.post("/", json=HI).status_code, [client for client in clients for _ in range(10)])
        ]

    assert {202: 7, 200: 33} == {code: codes.count(code) for code in set(codes)}
    assert [] == clients[1].get("/_mock/faults").json


def test_a_fault_of_a_header_is_counted_over_all_workers(workers: Callable[..., list[FlaskClient]]) -> None:
    turn = cycle(workers())
    codes = [next(turn).post("/", json=HI, headers={"x-mock-fault": "status-202;after=1;times=2"}).status_code for _ in range(5)]

    assert [200, 202, 202, 200, 200] == codes


def test_the_same_requests_are_struck_as_by_one_worker(workers: Callable[..., list[FlaskClient]]) -> None:
    def struck(clients: list[FlaskClient]) -> list[int]:
        turn = cycle(clients)
        return [next(turn).post("/", json=HI).status_code for _ in range(30)]

    alone = create_app(Config(faults=("status-202@0.5",), seed=3)).test_client()

    assert struck([alone]) == struck(workers(faults=("status-202@0.5",), seed=3))


def test_scopes_are_apart_in_all_workers(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    one.post("/_mock/scripts", json={"rules": [{"prompt": "ping", "reply": "pong"}]}, headers={"x-mock-scope": "mine"})

    assert "pong" == text(other, **{"x-mock-scope": "mine"})
    assert "pong" != text(other)


def test_one_journal_holds_the_requests_to_all(workers: Callable[..., list[FlaskClient]]) -> None:
    clients = workers(3)
    for number, client in enumerate(clients):
        text(client, f"prompt {number}", authorization="Bearer hf_secret")
    journals = [client.get("/_mock/requests").json for client in clients]

    assert journals[0] == journals[1] == journals[2]
    assert [(1, "prompt 0", 200), (2, "prompt 1", 200), (3, "prompt 2", 200)] == [
        (entry["number"], entry["body"]["inputs"], entry["status"]) for entry in journals[0]
    ]
    assert "hf_secret" not in str(journals)


def test_the_client_is_judged_by_the_requests_to_all(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    for client in (one, other):
        client.post("/", json={"inputs": 7})

    assert ["retried-in-vain"] == [finding["name"] for finding in one.get("/_mock/verdict").json]


def test_reset_forgets_in_all_workers(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    one.post("/_mock/scripts", json={"rules": [{"prompt": "ping", "reply": "pong"}]})
    one.post("/_mock/faults", json={"name": "status-202"})
    text(one)
    other.post("/_mock/reset")

    assert ([], [], []) == (
        one.get("/_mock/requests").json,
        one.get("/_mock/faults").json,
        one.get("/_mock/scripts").json["rules"],
    )
    assert "pong" != text(one)


def test_one_scope_is_forgotten_in_all_workers(workers: Callable[..., list[FlaskClient]]) -> None:
    one, other = workers()
    for scope in ("a", "b"):
        text(one, scope, **{"x-mock-scope": scope})
    other.post("/_mock/reset", headers={"x-mock-scope": "a"})

    assert ["b"] == [entry["scope"] for entry in one.get("/_mock/requests").json]


def test_the_nth_request_to_any_worker_gets_the_nth_recorded_answer(
    workers: Callable[..., list[FlaskClient]], tmp_path: Path
) -> None:
    tape = tmp_path / "tape.jsonl"
    request = {"url": "http://x/", "body": {"inputs": "ping"}}
    answer = {"status": 200, "headers": {"content-type": "application/json"}}
    for word in ("one", "two", "three"):
        line = {"request": request, "response": {**answer, "body": {"generated_text": word}}}
        tape.write_text((tape.read_text() if tape.exists() else "") + json.dumps(line) + "\n")
    one, other = workers(replay=str(tape))

    assert ["one", "two", "three", "three"] == [text(one), text(other), text(one), text(other)]
    one.post("/_mock/reset")
    assert "one" == text(other)


def test_several_workers_take_control_where_they_share_their_state(workers: Callable[..., list[FlaskClient]]) -> None:
    one, _ = workers(workers=2)

    assert 200 == one.get("/_mock/requests").status_code


def test_several_workers_without_a_shared_state_say_what_control_needs() -> None:
    refused = create_app(Config(workers=2)).test_client().get("/_mock/requests")

    assert 400 == refused.status_code
    assert "control needs --workers 1, or a --state that they share" in refused.get_json()["error"]


def test_a_redis_that_restarts_costs_what_it_held_and_no_request(redis_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    client = create_app(Config(state=redis_server.url), clock=clock).test_client()
    client.post("/_mock/scripts", json={"rules": [{"prompt": "ping", "reply": "pong"}]})
    with caplog.at_level(logging.WARNING, "mockserver"):
        redis_server.stop()
        away = [client.post("/", json={"inputs": "ping"}) for _ in range(3)]
        refused = client.get("/_mock/requests")
        redis_server.start()
        clock.sleep(PAUSE)
        back = client.post("/", json={"inputs": "ping"})

    assert [200] * 4 == [answer.status_code for answer in (*away, back)]
    assert all(answer.get_json()["generated_text"] != "pong" for answer in (*away, back))
    assert (503, True) == (refused.status_code, "until it is back" in refused.get_json()["error"])
    assert [
        f"Redis at {redis_server.url} does not answer (ConnectionError): going on without what it holds",
        f"Redis at {redis_server.url} answers again",
    ] == [record.getMessage() for record in caplog.records]
    assert [1] == [entry["number"] for entry in client.get("/_mock/requests").json]


def test_workers_that_are_processes_share_one_journal(redis_url: str) -> None:
    with local_fake("--workers", "2", "--state", redis_url) as url:
        for number in range(8):  # each on a connection of its own, which either worker may take
            httpx.post(url, json={"inputs": f"prompt {number}", "parameters": {"max_new_tokens": 1}})
        journal = httpx.get(httpx.URL(url).join("/_mock/requests")).json()

    assert [f"prompt {number}" for number in range(8)] == [entry["body"]["inputs"] for entry in journal]
