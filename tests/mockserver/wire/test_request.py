"""Bytes become one frozen Request, or one sentence."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import Any

import pytest

import spec
from mockserver.config import Config
from mockserver.errors import TooLargeError, UnsupportedMediaTypeError, ValidationError
from mockserver.messages import Grammar, Parameters, Request
from mockserver.wire.contract import Contract
from mockserver.wire.request import LARGEST_BODY, check_media_type, ignored_header, parse_request, read_body

CONTRACT = Contract(Config())


def parse(payload: Any, **options: Any) -> Request:
    return parse_request(json.dumps(payload).encode(), "application/json", CONTRACT, model="m", **options)


def refuse(payload: Any, **options: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        parse(payload, **options)
    assert refused.value.status == 422
    prefix, _, sentence = refused.value.message.partition("Input validation error: ")
    assert prefix == ""
    return sentence


def with_parameters(**parameters: Any) -> dict[str, Any]:
    return {"inputs": "hi", "parameters": parameters}


# ---------------------------------------------------------------- what is read


def test_inputs_alone_leave_everything_unsaid() -> None:
    assert parse({"inputs": "hi"}) == Request(model="m", inputs="hi", parameters=Parameters(), stream=False)


def test_messages_and_page_name_the_same_parameters() -> None:
    assert tuple(field.name for field in fields(Parameters)) == CONTRACT.parameters


def test_null_is_the_same_as_nothing_for_every_parameter() -> None:
    assert parse(with_parameters(**dict.fromkeys(CONTRACT.parameters))) == parse(with_parameters())


def test_each_value_arrives() -> None:
    given = {
        "adapter_id": "demo/haiku",
        "best_of": 2,
        "decoder_input_details": True,
        "details": True,
        "do_sample": True,
        "frequency_penalty": -2,
        "max_new_tokens": 7,
        "repetition_penalty": 1.5,
        "return_full_text": False,
        "seed": 2**64 - 1,
        "stop": ["a", "b"],
        "temperature": 1,
        "top_k": 3,
        "top_n_tokens": 5,
        "top_p": 1.0,
        "truncate": 4095,
        "typical_p": 0.5,
        "watermark": True,
    }

    assert parse(with_parameters(**given)).parameters == Parameters(**{**given, "stop": ("a", "b")})


def test_a_whole_number_is_a_float_where_a_number_is_asked_for() -> None:
    assert isinstance(parse(with_parameters(temperature=1)).parameters.temperature, float)


@pytest.mark.parametrize("value", [{"type": "object"}, '{"type":"object"}'])
def test_a_json_grammar_is_text_however_it_came(value: Any) -> None:
    grammar = parse(with_parameters(grammar={"type": "json", "value": value})).parameters.grammar

    assert grammar == Grammar(type="json", value='{"type":"object"}')


def test_the_route_decides_over_the_body_whether_it_streams() -> None:
    assert parse({"inputs": "hi", "stream": True}).stream
    assert not parse({"inputs": "hi", "stream": True}, stream=False).stream
    assert parse({"inputs": "hi", "stream": False}, stream=True).stream


# ---------------------------------------------------------------- what is refused

SENTENCES = [
    ({}, "`inputs` is missing"),
    ({"parameters": {"temperature": -1}}, "`inputs` is missing"),
    ([], "the body must be an object. Given: []"),
    ("hi", 'the body must be an object. Given: "hi"'),
    (None, "the body must be an object. Given: null"),
    ({"inputs": ""}, "`inputs` cannot be empty"),
    ({"inputs": ["a"]}, '`inputs` must be a string. Given: ["a"]'),
    ({"inputs": None}, "`inputs` must be a string. Given: null"),
    ({"inputs": "hi", "parameters": None}, "`parameters` must be an object. Given: null"),
    ({"inputs": "hi", "parameters": []}, "`parameters` must be an object. Given: []"),
    ({"inputs": "hi", "stream": "true"}, '`stream` must be a boolean. Given: "true"'),
    ({"inputs": "hi", "stream": None}, "`stream` must be a boolean. Given: null"),
    (with_parameters(temperature=0), "`temperature` must be strictly positive. Given: 0"),
    (with_parameters(temperature=-0.5), "`temperature` must be strictly positive. Given: -0.5"),
    (with_parameters(temperature="hot"), '`temperature` must be a number or null. Given: "hot"'),
    (with_parameters(temperature=True), "`temperature` must be a number or null. Given: true"),
    (with_parameters(best_of=0), "`best_of` must be > 0 and <= 2. Given: 0"),
    (with_parameters(best_of=3), "`best_of` must be > 0 and <= 2. Given: 3"),
    (with_parameters(frequency_penalty=2.5), "`frequency_penalty` must be >= -2.0 and <= 2.0. Given: 2.5"),
    (with_parameters(repetition_penalty=0), "`repetition_penalty` must be strictly positive. Given: 0"),
    (with_parameters(max_new_tokens=0), "`max_new_tokens` must be strictly positive and at most 4294967295. Given: 0"),
    (with_parameters(max_new_tokens=20.0), "`max_new_tokens` must be an integer or null. Given: 20.0"),
    (with_parameters(max_new_tokens="20"), '`max_new_tokens` must be an integer or null. Given: "20"'),
    (with_parameters(seed=-1), "`seed` must be >= 0 and <= 18446744073709551615. Given: -1"),
    (with_parameters(seed=1.5), "`seed` must be an integer or null. Given: 1.5"),
    (with_parameters(seed=False), "`seed` must be an integer or null. Given: false"),
    (with_parameters(top_k=2**31), "`top_k` must be strictly positive and at most 2147483647. Given: 2147483648"),
    (with_parameters(top_n_tokens=6), "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    (with_parameters(top_p=0), "`top_p` must be > 0.0 and <= 1.0. Given: 0"),
    (with_parameters(top_p=1.01), "`top_p` must be > 0.0 and <= 1.0. Given: 1.01"),
    (with_parameters(typical_p=-0.1), "`typical_p` must be > 0.0 and <= 1.0. Given: -0.1"),
    (with_parameters(truncate=0), "`truncate` must be strictly positive and at most 4095. Given: 0"),
    (with_parameters(truncate=4096), "`truncate` must be strictly positive and at most 4095. Given: 4096"),
    (with_parameters(do_sample="yes"), '`do_sample` must be a boolean or null. Given: "yes"'),
    (with_parameters(details=1), "`details` must be a boolean or null. Given: 1"),
    (with_parameters(adapter_id=1), "`adapter_id` must be a string or null. Given: 1"),
    (with_parameters(stop="a"), '`stop` must be an array of strings or null. Given: "a"'),
    (with_parameters(stop=["a", 1]), '`stop` must be an array of strings or null. Given: ["a", 1]'),
    (with_parameters(stop=[""]), '`stop` supports up to 4 stop sequences, none of them empty. Given: [""]'),
    (
        with_parameters(stop=["a", "b", "c", "d", "e"]),
        '`stop` supports up to 4 stop sequences, none of them empty. Given: ["a", "b", "c", "d", "e"]',
    ),
    (
        with_parameters(grammar={"type": "json"}),
        '`grammar` must be {"type": "json", "value": a JSON Schema as object or text} or {"type": "regex", "value": text}. '
        'Given: {"type": "json"}',
    ),
]


@pytest.mark.parametrize(("payload", "sentence"), SENTENCES)
def test_what_is_wrong_is_said_in_one_sentence(payload: Any, sentence: str) -> None:
    assert refuse(payload) == sentence


@pytest.mark.parametrize(
    "grammar", ["json", [], 1, {"type": "xml", "value": "a"}, {"type": "regex", "value": {}}, {"value": "a"}]
)
def test_a_grammar_of_no_documented_form_is_refused(grammar: Any) -> None:
    assert refuse(with_parameters(grammar=grammar)).startswith("`grammar` must be ")


def test_the_first_fault_in_the_pages_order_is_told() -> None:
    wrong = {"stream": 1, "parameters": {"watermark": 1, "top_k": 2.0, "best_of": 9, "adapter_id": 1}, "inputs": "hi"}

    for name in ("adapter_id", "best_of", "top_k", "watermark"):
        assert f"`{name}`" in refuse(wrong)
        del wrong["parameters"][name]  # type: ignore[attr-defined]
    assert "`stream`" in refuse(wrong)


@pytest.mark.parametrize("name", CONTRACT.parameters)
@pytest.mark.parametrize("value", [{}, [[]], "\u2028", True, 1.5, -1])
def test_a_refusal_names_the_parameter_and_shows_the_value(name: str, value: Any) -> None:
    complaint = CONTRACT.complaint(with_parameters(**{name: value}))

    if complaint is not None:
        assert f"`{name}`" in complaint
        assert json.dumps(value) in complaint
        assert complaint.isascii()


def test_limits_of_the_server_replace_the_bounds_of_the_page() -> None:
    contract = Contract(Config(max_best_of=5, max_stop_sequences=1, max_top_n_tokens=0, max_input_tokens=10))
    parameters = contract.document["components"]["schemas"]["Parameters"]["properties"]

    assert parameters["best_of"]["maximum"] == 5
    assert parameters["stop"]["maxItems"] == 1
    assert parameters["top_n_tokens"]["maximum"] == 0
    assert parameters["truncate"]["maximum"] == 10
    assert contract.complaint(with_parameters(top_n_tokens=1)) == "`top_n_tokens` must be >= 0 and <= 0. Given: 1"
    assert spec.openapi()["components"]["schemas"]["Parameters"]["properties"]["best_of"]["maximum"] == 2


# ---------------------------------------------------------------- what the page does not know


def test_unknown_parameters_are_ignored_by_name() -> None:
    request = parse({"inputs": "hi", "temperatur": 1, "parameters": {"stop_sequences": ["a"], "top_k": 1}})

    assert request.ignored == ("temperatur", "parameters.stop_sequences")
    assert request.parameters == Parameters(top_k=1)


def test_what_older_clients_send_is_tolerated_silently() -> None:
    assert parse({"inputs": "hi", "options": {"use_cache": False}, "model": "x"}, unknown_parameters="refuse").ignored == ()


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (with_parameters(stop_sequences=["a"]), "unknown parameter `stop_sequences` (did you mean `stop`?)"),
        (with_parameters(temprature=1), "unknown parameter `temprature` (did you mean `temperature`?)"),
        (with_parameters(xyz=1), "unknown parameter `xyz`"),
        ({"inputs": "hi", "seed": 1}, "`seed` stands beside `parameters`, not in it"),
        ({"inputs": "hi", "input": 1, "parameters": {"zz": 1}}, "unknown parameter `input`; unknown parameter `zz`"),
    ],
)
def test_unknown_parameters_can_be_refused(payload: Any, sentence: str) -> None:
    assert refuse(payload, unknown_parameters="refuse") == sentence


def test_the_header_of_ignored_names_is_safe_and_short() -> None:
    names = ("a b", "x\r\nset-cookie: a=b", "日本", "y" * 10_000, "ok_1.b")

    assert ignored_header(names) == f"a%20b, x%0D%0Aset-cookie%3A%20a%3Db, %E6%97%A5%E6%9C%AC, {'y' * 64}, ok_1.b"
    assert len(ignored_header(("n" * 100,) * 5000)) < 1200
    assert ignored_header(("n",) * 20).endswith(", and 4 more")


# ---------------------------------------------------------------- around the body


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y", "application/vnd.api+json"],
)
def test_json_media_types_are_taken(content_type: str) -> None:
    check_media_type(content_type)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonx", "application/+json", "json", "text/json"])
def test_other_media_types_are_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match=r"Expected request with `Content-Type: application/json`\."):
        check_media_type(content_type)


def test_a_body_of_the_largest_size_is_read() -> None:
    assert len(read_body(io.BytesIO(b"x" * LARGEST_BODY).read, LARGEST_BODY)) == LARGEST_BODY


def test_a_body_declared_too_large_is_not_read_at_all() -> None:
    body = io.BytesIO(b"x" * (LARGEST_BODY + 1))

    with pytest.raises(TooLargeError):
        read_body(body.read, LARGEST_BODY + 1)
    assert body.tell() == 0


def test_a_body_without_length_is_read_no_further_than_the_limit() -> None:
    body = io.BytesIO(b"x" * (LARGEST_BODY * 2))

    with pytest.raises(TooLargeError):
        read_body(body.read, None)
    assert body.tell() < LARGEST_BODY + 100_000
