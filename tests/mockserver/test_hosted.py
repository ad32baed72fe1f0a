"""The hosted dialect, reply by reply: status, header names, framing, and every key with its type and null, as hosted replies have them.

The requests are our own; the shapes are those of replies that the hosted API gave in 2024 and 2025.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

Serve = Callable[..., Flask]

MODEL = "/models/google/gemma-2-2b-it"
PROMPT = "The colour of the sky is"
FEW = {"max_new_tokens": 3, "do_sample": False, "return_full_text": False}

DOOR = {"access-control-allow-credentials", "content-type", "vary"}
"""Headers that every reply carries."""
ABOUT = {"x-request-id", "x-sha"}
BEHIND = {"access-control-allow-origin"}
"""What the router behind the front door adds."""
COMPUTE = {"x-compute-type", "x-compute-characters"}
TIMES = {"x-compute-time", "x-total-time", "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token"}
COUNTS = {"x-prompt-tokens", "x-generated-tokens"}
STREAM = {"cache-control", "x-accel-buffering"}
LENGTH = {"content-length"}

REPLY = {"[].generated_text": {"str"}}
TOKEN = {"id": {"int"}, "text": {"str"}, "logprob": {"float"}, "special": {"bool"}}
DETAILS = {"finish_reason": {"str"}, "generated_tokens": {"int"}, "seed": {"NoneType"}}


def below(path: str, keys: dict[str, set[str]]) -> dict[str, set[str]]:
    return {f"{path}.{name}": kinds for name, kinds in keys.items()}


DETAILED = (
    REPLY
    | {"[].details": {"dict"}, "[].details.prefill": {"list"}, "[].details.tokens": {"list"}}
    | below("[].details", DETAILS)
    | below("[].details.tokens[]", TOKEN)
)
PREFILLED = DETAILED | below("[].details.prefill[]", {"id": {"int"}, "text": {"str"}, "logprob": {"float", "NoneType"}})
EVENTS = {"[].index": {"int"}, "[].token": {"dict"}, "[].generated_text": {"str", "NoneType"}, "[].details": {"NoneType"}}
EVENTS |= below("[].token", TOKEN)
DETAILED_EVENTS = EVENTS | {"[].details": {"dict", "NoneType"}} | below("[].details", DETAILS | {"input_length": {"int"}})
TYPED_ERROR = {".error": {"str"}, ".error_type": {"str"}}


def shape(value: Any, path: str = "") -> dict[str, set[str]]:
    """Every path in ``value`` to a member of an object, and the types that stand there."""
    found: dict[str, set[str]] = {}
    parts = [(f"{path}.{name}", part) for name, part in value.items()] if isinstance(value, dict) else []
    for name, part in parts:
        found.setdefault(name, set()).add(type(part).__name__)
    if isinstance(value, list):
        parts = [(f"{path}[]", part) for part in value]
    for name, part in parts:
        for inner, kinds in shape(part, name).items():
            found.setdefault(inner, set()).update(kinds)
    return found


def read(response: TestResponse) -> Any:
    text = response.get_data(as_text=True)
    if response.content_type == "text/event-stream":
        return [json.loads(frame.removeprefix("data: ")) for frame in text.split("\n\n")[:-1]]
    return json.loads(text)


WHOLE = DOOR | ABOUT | BEHIND | COMPUTE | TIMES | COUNTS
STREAMED = DOOR | ABOUT | BEHIND | COMPUTE | STREAM

GOOD = [
    pytest.param({"inputs": PROMPT, "parameters": FEW}, WHOLE, REPLY, id="plain"),
    pytest.param({"inputs": PROMPT, "parameters": FEW, "options": {}, "model": "m"}, WHOLE, REPLY, id="with-old-fields"),
    pytest.param({"inputs": PROMPT, "parameters": FEW | {"details": True}}, WHOLE, DETAILED, id="details"),
    pytest.param({"inputs": PROMPT, "parameters": FEW | {"decoder_input_details": True}}, WHOLE, PREFILLED, id="prefill"),
    pytest.param({"inputs": PROMPT, "parameters": FEW, "stream": True}, STREAMED, EVENTS, id="stream"),
    pytest.param(
        {"inputs": PROMPT, "parameters": FEW | {"details": True}, "stream": True}, STREAMED, DETAILED_EVENTS, id="stream-details"
    ),
]


@pytest.mark.parametrize(("payload", "headers", "expected"), GOOD)
def test_a_new_reply_has_the_recorded_shape_and_comes_in_chunks(
    serve: Serve, payload: Any, headers: set[str], expected: dict[str, set[str]]
) -> None:
    response = serve(dialect="hosted").test_client().post(MODEL, json=payload, headers={"x-use-cache": "false"})

    assert 200 == response.status_code
    assert expected == shape(read(response))
    assert headers == {name.lower() for name, _ in response.headers}


@pytest.mark.parametrize(("payload", "headers", "expected"), GOOD)
def test_a_kept_reply_comes_whole_with_few_headers(
    serve: Serve, payload: Any, headers: set[str], expected: dict[str, set[str]]
) -> None:
    client = serve(dialect="hosted").test_client()
    client.post(MODEL, json=payload).get_data()
    response = client.post(MODEL, json=payload)

    assert expected == shape(read(response))
    kept = DOOR | ABOUT | LENGTH | {"x-compute-type"} | ({"x-compute-time"} & headers)
    assert kept == {name.lower() for name, _ in response.headers}
    assert "cache" == response.headers["x-compute-type"]


def test_a_seed_that_was_drawn_is_an_integer(serve: Serve) -> None:
    payload = {"inputs": PROMPT, "parameters": {"max_new_tokens": 1, "do_sample": True, "details": True}}
    (reply,) = serve(dialect="hosted").test_client().post(MODEL, json=payload).get_json()

    assert isinstance(reply["details"]["seed"], int)


# path, payload, status, content type, headers beside those of the door, shape or text
REFUSED = [
    pytest.param("/models/no/such", {"inputs": "x"}, 404, {"x-request-id"} | LENGTH, {".error": {"str"}}, id="unknown-model"),
    pytest.param(
        "/models/none-such", {"inputs": "x"}, 404, {"x-request-id"} | LENGTH, {".error": {"str"}}, id="unknown-short-model"
    ),
    pytest.param(MODEL, {"inputs": "x", "parameters": {"best_of": 9}}, 422, ABOUT | BEHIND, TYPED_ERROR, id="out-of-bounds"),
    pytest.param(
        MODEL, {"inputs": {"a": "b"}}, 422, ABOUT | BEHIND, "inputs: invalid type: map, expected a string", id="wrong-type"
    ),
    pytest.param(
        MODEL, {"stream": True, "messages": []}, 422, ABOUT | BEHIND, "missing field `inputs`", id="no-inputs-in-a-stream"
    ),
]


@pytest.mark.parametrize(("path", "payload", "status", "headers", "expected"), REFUSED)
def test_a_refusal_has_the_recorded_shape(
    serve: Serve, path: str, payload: Any, status: int, headers: set[str], expected: dict[str, set[str]] | str
) -> None:
    response = serve(dialect="hosted").test_client().post(path, json=payload)

    assert status == response.status_code
    assert DOOR | headers == {name.lower() for name, _ in response.headers}
    if isinstance(expected, str):
        assert "text/plain; charset=utf-8" == response.content_type
        assert expected in response.get_data(as_text=True)
    else:
        assert "application/json" == response.content_type
        assert expected == shape(response.get_json())


def test_too_many_requests_are_told_by_the_front_door(serve: Serve) -> None:
    client = serve(dialect="hosted", rate_limit="1/hour").test_client()
    responses = [client.post(MODEL, json={"inputs": PROMPT, "parameters": FEW}) for _ in range(2)]

    assert {"error": "Rate limit reached. Please log in or use a HF access token"} == responses[1].get_json()
    names = {name.lower() for name, _ in responses[1].headers}
    assert DOOR | LENGTH | {"x-request-id", "retry-after"} == names


def test_a_model_that_loads_is_told_by_the_front_door(serve: Serve) -> None:
    response = serve(dialect="hosted", cold=50).test_client().post(MODEL, json={"inputs": PROMPT})

    assert 503 == response.status_code
    assert {".error": {"str"}, ".estimated_time": {"float"}} == shape(response.get_json())
    assert DOOR | LENGTH | ABOUT == {name.lower() for name, _ in response.headers}


def test_vary_tells_a_reply_of_the_router_from_a_kept_one(serve: Serve) -> None:
    client = serve(dialect="hosted").test_client()
    payload = {"inputs": "vary", "parameters": FEW}
    new, kept = (client.post(MODEL, json=payload).headers["vary"] for _ in range(2))

    assert "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" == kept
    assert f"origin, {kept}" == new


@pytest.mark.parametrize("path", [MODEL, "/models/no/such"])
def test_a_page_is_told_its_own_origin(serve: Serve, path: str) -> None:
    """Credentials are allowed, and with them no browser takes a star."""
    response = serve(dialect="hosted").test_client().post(path, json={"inputs": "x"}, headers={"origin": "https://a.test"})

    assert ["https://a.test"] == response.headers.getlist("access-control-allow-origin")
