"""Recorded requests asked again: what counts as a change, what cannot be compared, and what is never sent."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace
from typing import Any

from contract_tests.budget import BudgetSpent
from contract_tests.drift import Drift, again, ask_again
from contract_tests.drift.again import askings
from contract_tests.exchange import Case, Chunk, Exchange


def exchange(body: Any, *, inputs: str = "a", status: int = 200, url: str = "http://old/generate", **headers: str) -> Exchange:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    told = (("content-type", "application/json"),)
    case = Case.of({"inputs": inputs}, headers=sent)
    return Exchange(case, url, status, told, (Chunk(0.0, json.dumps(body).encode()),))


def drift(recorded: list[Exchange], *now: Exchange) -> Drift:
    answers = iter(now)
    return ask_again(askings(recorded), lambda _path, case: replace(next(answers), case=case))


def test_other_words_are_no_change() -> None:
    assert [] == drift([exchange({"generated_text": "a"})], exchange({"generated_text": "b"})).changes


def test_another_type_is_a_change() -> None:
    (change,) = drift([exchange({"a": {"id": 1}})], exchange({"a": {"id": "1"}})).changes

    assert ("reply.a.id", {"integer"}, {"string"}) == (change.place, change.before, change.now)


def test_a_field_that_is_gone_and_one_that_is_new_are_changes() -> None:
    changes = drift([exchange({"a": 1})], exchange({"b": 1})).changes

    assert [("reply.a", {"absent"}), ("reply.b", {"integer"})] == [(change.place, change.now) for change in changes]


def test_headers_come_last() -> None:
    recorded, now = exchange({"z": 1}), exchange({"a": 1})
    now = replace(now, headers=(*now.headers, ("x-compute-type", "cpu")))

    assert ["reply.a", "reply.z", "header.x-compute-type"] == [change.place for change in drift([recorded], now).changes]


def test_what_one_of_the_recorded_answers_showed_is_no_change() -> None:
    recorded = [exchange({"seed": 1}), exchange({"seed": None}), exchange({})]

    assert 1 == len(askings(recorded))
    assert [] == drift(recorded, exchange({"seed": None})).changes


def test_another_status_is_one_change_and_not_many() -> None:
    (change,) = drift([exchange({"a": 1})], exchange({"error": "no"}, status=422)).changes

    assert ("status", {"200"}, {"422"}) == (change.place, change.before, change.now)


def test_the_same_change_in_many_replies_is_told_once_by_the_smallest() -> None:
    recorded = [exchange({"a": 1}, inputs=inputs) for inputs in ("long text", "b")]
    (change,) = drift(recorded, exchange({"a": "1"}), exchange({"a": "2"})).changes

    assert 2 == change.count
    assert {"inputs": "b"} == change.exchange.case.payload


def test_a_server_that_is_busy_is_not_compared() -> None:
    found = drift([exchange({"a": 1}), exchange({"a": 1}, inputs="b")], exchange({}, status=503), exchange({"a": 2}))

    assert ({"status 503": 1}, 1, []) == (found.unanswered, found.compared, found.changes)
    assert "asked 2 recorded requests again, compared 1; 1 could not be compared (status 503)" == found.sentence


def test_what_the_recording_holds_of_a_busy_server_is_not_asked_again() -> None:
    assert [] == askings([exchange({}, status=429), exchange({}, status=503), replace(exchange({}), failure="cut")])


def test_a_spent_budget_leaves_the_rest_unasked() -> None:
    def send(_path: str, _case: Case) -> Exchange:
        raise BudgetSpent("the budget of 0 requests is spent")

    found = ask_again(askings([exchange({})]), send)

    assert (0, 1) == (found.compared, found.left)
    assert found.sentence.endswith("1 were not asked, as the budget is spent")


def test_only_what_the_client_wished_is_sent_again() -> None:
    (asked,) = askings([exchange({}, host="old", content_length="9", x_use_cache="false", user_agent="a", x_amz_date="now")])

    assert (("content-type", "application/json"), ("x-use-cache", "false")) == asked.case.headers


def test_an_address_with_a_path_is_asked_verbatim() -> None:
    assert 0 == doctest.testmod(again).failed
