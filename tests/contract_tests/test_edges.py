"""Exact bounds: what is sent on each side of them, and that limits are taken from nobody but the server that is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import spec
from contract_tests import edges
from contract_tests.clauses import clauses_of
from contract_tests.client import Client
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.probes import PROFILES, Run
from contract_tests.probes.edges import send_edges
from mockserver import Config, create_app

TOLD = {
    "router": "text-generation-router",
    "model_id": "google/gemma-2-2b-it",
    "max_best_of": 2,
    "max_stop_sequences": 4,
    "max_input_tokens": 4095,
    "max_total_tokens": 4096,
}
AT_ROOT = "http://tgi.test/"
LIMITS = edges.read_limits(AT_ROOT, TOLD)


def asked(name: str, *, faulty: bool) -> list[Any]:
    """The values of parameter ``name`` on its bounds that must be refused, or must be taken."""
    return [case.payload["parameters"][name] for case in edges.on_the_bounds(name) if case.faulty is faulty]


@pytest.mark.parametrize(
    ("name", "refused", "taken"),
    [
        ("temperature", [0], [0.01]),
        ("top_p", [0, 1], [0.01]),
        ("typical_p", [0, 1], [0.01]),
        ("repetition_penalty", [0], [0.01]),
        ("frequency_penalty", [-2.01, 2.01], [-2]),
        ("top_k", [0, 2**31], []),
        ("max_new_tokens", [0, 2**32], []),
        ("truncate", [0], []),
        ("seed", [2**64], [0, 2**64 - 1]),
        ("best_of", [], [0]),
        ("top_n_tokens", [], [0]),
        ("details", [], []),
    ],
)
def test_the_bounds_of_a_parameter_are_those_of_the_router(name: str, refused: list[Any], taken: list[Any]) -> None:
    assert refused == asked(name, faulty=True)
    assert taken == asked(name, faulty=False)


@pytest.mark.parametrize("name", spec.openapi()["components"]["schemas"]["Parameters"]["properties"])
def test_every_edge_that_is_sent_has_its_statement(name: str) -> None:
    assert {case.about for case in edges.on_the_bounds(name)} <= {statement.id for statement in spec.statements("tgi")}


@pytest.mark.parametrize("url", [AT_ROOT, "http://tgi.test", "http://tgi.test/generate", "http://x.test/models/google/gemma-2-2b-it"])
def test_a_router_tells_the_limits_of_its_own_routes(url: str) -> None:
    assert edges.Limits(max_best_of=2, max_stop_sequences=4, max_input_tokens=4095, max_total_tokens=4096) == edges.read_limits(
        url, TOLD
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://x.test/models/another/model", TOLD),
        (AT_ROOT, {**TOLD, "router": "another"}),
        (AT_ROOT, None),
        (AT_ROOT, [TOLD]),
        (AT_ROOT, {"router": "text-generation-router", "max_best_of": "2", "max_input_tokens": True, "max_total_tokens": -1}),
    ],
)
def test_what_is_told_of_another_server_is_no_limit(url: str, told: Any) -> None:
    assert edges.Limits() == edges.read_limits(url, told)


def test_where_no_limit_is_told_none_is_tried() -> None:
    assert [] == list(edges.at_the_limits(edges.Limits()))
    assert edges.room(edges.Limits()) is None


def test_the_room_is_tried_only_where_one_slice_can_fill_it() -> None:
    pair = edges.room(LIMITS)

    assert pair is not None
    assert [1, 2] == [case.payload["parameters"]["max_new_tokens"] for case in pair]
    assert edges.room(edges.Limits(max_input_tokens=1000, max_total_tokens=8000)) is None


class Asked(Client):
    """Sends nothing, and notes what it was to send."""

    def __init__(self, url: str, told: Any) -> None:
        super().__init__(url)
        self.told, self.sent = told, list[Case]()

    def look_up(self, address: str) -> Any:  # noqa: ARG002 (the client's own)
        return self.told

    def send(self, case: Case) -> Exchange:
        self.sent.append(case)
        return Exchange(case, self.url, 200, (("content-type", "application/json"),), (Chunk(0.0, b'[{"generated_text": "a"}]'),))


def sent(dialect: str, told: Any = None, **options: Any) -> list[str]:
    client = Asked(AT_ROOT, told)
    send_edges.send(Run(client, Evidence(clauses_of(dialect)), 1, PROFILES["standard"], **options))
    return [case.about for case in client.sent]


def test_nothing_is_sent_where_no_clause_judges_it() -> None:
    assert [] == sent("documented", TOLD)


def test_limits_are_tried_where_they_are_told_alone() -> None:
    assert {"parameters.best_of.limit", "parameters.stop.limit", "parameters.truncate.limit"} <= set(sent("tgi", TOLD))
    assert not any(about.endswith((".limit", ".room")) for about in (*sent("tgi"), *sent("hosted", TOLD)))


def test_one_token_too_many_is_no_fault_where_the_prompt_may_be_shorter() -> None:
    assert 1 == sent("tgi", TOLD).count("parameters.max_new_tokens.room")


def test_what_is_declared_absent_is_not_tried() -> None:
    assert "parameters.top_p.edges" in sent("tgi")
    assert "parameters.top_p.edges" not in sent("tgi", without=frozenset({"top_p"}))


def test_what_is_wrong_on_a_stream_only_is_not_judged_where_streams_are_absent(check_wsgi: Callable[..., dict[str, Any]]) -> None:
    result = check_wsgi(create_app(Config(dialect="tgi")), dialect="tgi", without=("stream",), seed=1)
    verdicts = {clause["id"]: clause["verdict"] for clause in result["clauses"]}

    assert [] == [id for id, verdict in verdicts.items() if verdict == "fail"]
    assert "skip" == verdicts["parameters.best_of.no-stream"]
