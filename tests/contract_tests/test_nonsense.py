"""Servers that answer anything at all: violations, never a crash of the suite."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract_tests.clauses.registry import REGISTRY
from contract_tests.errors import UnreachableError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Check = Callable[..., dict[str, Any]]


def answers(body: bytes, content_type: str = "application/json", status: str = "200 OK", **headers: str) -> Any:
    """A server that says the same to everybody."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("content-type", content_type), *headers.items()])
        return [body]

    return app


TOKEN = {"id": 5, "text": "a", "logprob": -0.5, "special": False}
NONSENSE = {
    "an empty body": answers(b""),
    "null": answers(b"null"),
    "an empty object": answers(b"{}"),
    "an empty list": answers(b"[]"),
    "a list of one": answers(b'[{"generated_text": "x"}]'),
    "a list of lists": answers(b'[[{"generated_text": "x"}]]'),
    "plain text": answers(b"hello", "text/plain"),
    "not UTF-8": answers(b"\xff\xfe\x00"),
    "always 500": answers(b"Internal Server Error", "text/plain", "500 INTERNAL SERVER ERROR"),
    "always 417": answers(b'{"message": "temperature must > 0.0, got -1.0"}', status="417 EXPECTATION FAILED"),
    "errors as a list": answers(b'{"error": ["field required"]}', status="400 BAD REQUEST"),
    "no content": answers(b"", status="204 NO CONTENT"),
    "a stream of nothing": answers(b"", "text/event-stream"),
    "a stream of no JSON": answers(b"data: hello\n\ndata: [DONE]\n\n", "text/event-stream"),
    "a stream of numbers": answers(b"data: 1\n\ndata: null\n\ndata: []\n\n", "text/event-stream"),
    "a stream that is cut": answers(b'data: {"index": 1, "token": ', "text/event-stream"),
    "details that are a string": answers(b'{"generated_text": "x", "details": "none"}'),
    "tokens that are numbers": answers(
        b'{"generated_text": "x", "details": {"tokens": [1, null, "a"], "generated_tokens": "3"}}'
    ),
    "numbers beyond all bounds": answers(
        b'{"generated_text": "x", "details": {"generated_tokens": 1e999, "seed": ' + b"9" * 500 + b"}}"
    ),
    "deep nesting": answers(b"[" * 100_000),
}


@pytest.mark.parametrize("app", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_gives_violations_and_no_crash(app: Any, check_wsgi: Check) -> None:
    result = check_wsgi(app, profile="quick")

    assert result["summary"]["verdict"] == "fail", [clause for clause in result["clauses"] if clause["verdict"] == "error"]


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (answers(b"<!DOCTYPE html><html></html>", "text/html"), "answers with an HTML page"),
        (answers(b"<html>not found</html>", "text/html", "404 NOT FOUND"), "is it the address of a model"),
        (answers(b"", status="302 FOUND", location="/login"), "redirects to /login"),
        (answers(b'{"error": "token"}', status="401 UNAUTHORIZED"), "wants another token"),
    ],
)
def test_what_is_no_such_endpoint_is_told_in_a_sentence(app: Any, words: str, check_wsgi: Check) -> None:
    with pytest.raises(UnreachableError, match=words):
        check_wsgi(app)


# ---------------------------------------------------------------- the same, one level down: any reply to any clause
DETAILS = {
    "finish_reason": "length",
    "generated_tokens": 1,
    "seed": None,
    "prefill": [{"id": 1, "text": "x", "logprob": None}],
    "tokens": [TOKEN],
    "top_tokens": [[TOKEN]],
    "best_of_sequences": [
        {"generated_text": "a", "finish_reason": "length", "generated_tokens": 1, "seed": 1, "prefill": [], "tokens": [TOKEN]}
    ],
}
REPLY = {"generated_text": "a", "details": DETAILS}
EVENT = {"index": 1, "token": TOKEN, "top_tokens": [TOKEN], "generated_text": "a", "details": {**DETAILS, "input_length": 1}}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*DETAILS, *TOKEN, "error"]), inner, max_size=3),
    max_leaves=6,
)
PARAMETERS: dict[str, Any] = {
    "details": True,
    "max_new_tokens": 1,
    "top_n_tokens": 1,
    "stop": ["a"],
    "best_of": 2,
    "top_k": 1,
    "do_sample": True,
    "seed": 1,
    "truncate": 1,
    "decoder_input_details": True,
    "return_full_text": False,
    "temperature": 2.0,
    "top_p": 0.3,
    "typical_p": 0.2,
    "grammar": {"type": "json", "value": {"type": "object"}},
}


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, child in inner for rest in paths(child))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.deepcopy(value)
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return value


@st.composite
def exchanges(draw: st.DrawFn, stream: bool) -> Exchange:
    """A right reply with one place in it replaced by anything."""
    right = EVENT if stream else REPLY
    value = replaced(right, draw(st.sampled_from(paths(right))), draw(ANYTHING))
    body = json.dumps(value).encode()
    if stream:
        body = b"data: " + json.dumps(EVENT).encode() + b"\n\n" + b"data: " + body + b"\n\n"
    kept = {name: PARAMETERS[name] for name in draw(st.sets(st.sampled_from(list(PARAMETERS))))}
    kind = "text/event-stream" if stream else "application/json"
    case = Case.of({"inputs": "x", "parameters": kept, "stream": stream}, faulty=draw(st.booleans()))
    return Exchange(case, "http://x.test/", 200, (("content-type", kind),), (Chunk(0.0, body),))


RELATIONS = sorted({relation for clause in REGISTRY.values() for relation in clause.judges if not relation.startswith("about ")} - {"one"})
THREE = ("repetition_penalty", "frequency_penalty", "law-", "penalty-", "penalties-repetition_penalty", "draws", "first-", "fresh-")
FOUR = ("penalties-frequency_penalty", "law-mov")
FIVE = ("forced-",)
"""Relations of more than two members, by their beginnings."""


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_clause_raises_whatever_came(data: st.DataObject) -> None:
    evidence = Evidence()
    seen = [evidence.observe(data.draw(exchanges(stream))) for stream in (False, True, False, False, False)]
    for relation in RELATIONS:
        count = 5 if relation.startswith(FIVE) else 4 if relation.startswith(FOUR) else 3 if relation.startswith(THREE) else 2
        evidence.relate(relation, seen[:count])

    assert [tally.broken for tally in evidence.tallies.values() if tally.broken] == []
