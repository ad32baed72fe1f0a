"""The mock in the habits of text-generation-inference and of the hosted front door."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from mockserver import Config
from mockserver.engine.plan import plan
from mockserver.engine.vocabulary import Vocabulary
from mockserver.messages import Request

Ask = Callable[..., TestResponse]
ReadEvents = Callable[[TestResponse], list[Any]]

OTHERS = ("tgi", "hosted")
FEW = {"max_new_tokens": 6, "details": True}
TIMES = {"x-compute-time", "x-total-time", "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token"}


@pytest.mark.parametrize("path", ["/", "/models/google/gemma-2-2b-it"])
@pytest.mark.parametrize("dialect", OTHERS)
def test_the_root_answers_with_a_list_and_the_prompt(ask: Ask, dialect: str, path: str) -> None:
    reply = ask({"inputs": "The sea", "parameters": FEW}, path, dialect=dialect).json

    assert len(reply) == 1
    assert reply[0]["generated_text"].startswith("The sea")


@pytest.mark.parametrize("dialect", OTHERS)
def test_generate_answers_with_an_object_without_the_prompt(ask: Ask, dialect: str) -> None:
    reply = ask({"inputs": "The sea", "parameters": FEW}, "/generate", dialect=dialect).json

    assert not reply["generated_text"].startswith("The sea")


@pytest.mark.parametrize(("path", "prepended"), [("/", True), ("/generate_stream", False)])
def test_the_last_event_alone_has_the_prompt(ask: Ask, read_events: ReadEvents, path: str, prepended: bool) -> None:
    *_, last = read_events(ask({"inputs": "The sea", "stream": True, "parameters": FEW}, path, dialect="tgi"))

    assert last["generated_text"].startswith("The sea") == prepended
    assert not last["token"]["text"].startswith("The sea")


@pytest.mark.parametrize("dialect", OTHERS)
def test_return_full_text_that_is_said_counts(ask: Ask, dialect: str) -> None:
    reply = ask({"inputs": "The sea", "parameters": {**FEW, "return_full_text": False}}, "/", dialect=dialect).json

    assert not reply[0]["generated_text"].startswith("The sea")


def test_without_parameters_it_samples_and_with_none_of_them_it_does_not(ask: Ask) -> None:
    texts = [{ask(payload, "/", dialect="tgi", max_total_tokens=40, max_input_tokens=20).data for _ in range(5)}
             for payload in ({"inputs": "The sea"}, {"inputs": "The sea", "parameters": {}})]  # fmt: skip

    assert len(texts[0]) > 1
    assert len(texts[1]) == 1


@pytest.mark.parametrize(("dialect", "expected"), [("documented", 100), ("tgi", 4095), ("hosted", 100)])
def test_all_the_room_is_used_when_no_length_is_said(vocabulary: Vocabulary, dialect: str, expected: int) -> None:
    assert plan(Request("m", "x"), vocabulary, Config(dialect=dialect)).max_new_tokens == expected


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"repetition_penalty": -1.5}, "`repetition_penalty` must be strictly positive"),
        ({"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 1.0}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
        ({"best_of": 3}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "seed": 1, "do_sample": True}, "`seed` must not be set when `best_of` > 1"),
        ({"best_of": 2, "temperature": -1.0, "do_sample": False}, "`temperature` must be strictly positive"),
        ({"best_of": 2, "top_n_tokens": 9}, "you must use sampling when `best_of` is > 1"),
        ({"top_p": 7.0, "temperature": -1.0, "top_n_tokens": 9}, "`temperature` must be strictly positive"),
        ({"best_of": 2, "seed": 1, "temperature": -1.0}, "`temperature` must be strictly positive"),
        ({"best_of": 2, "seed": 1, "top_k": 5, "stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"best_of": 2, "seed": 1, "top_k": 5, "top_n_tokens": 9}, "`seed` must not be set when `best_of` > 1"),
        ({"best_of": 2, "seed": 1, "top_k": 5, "truncate": 0}, "`seed` must not be set when `best_of` > 1"),
        ({"best_of": 3, "seed": 1, "temperature": -1.0}, "`best_of` must be > 0 and <= 2. Given: 3"),
    ],
)
@pytest.mark.parametrize("dialect", OTHERS)
def test_a_bound_is_told_in_the_routers_words_and_order(ask: Ask, dialect: str, parameters: dict[str, Any], words: str) -> None:
    response = ask({"inputs": "x", "parameters": parameters}, dialect=dialect)

    assert response.status_code == 422
    assert response.json == {"error": f"Input validation error: {words}", "error_type": "validation"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"best_of": 9}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"best_of": 0, "temperature": -1.0}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"decoder_input_details": True, "top_p": 9.0}, "`decoder_input_details` == true is not supported when streaming tokens"),
        ({"temperature": -1.0, "top_p": 9.0}, "`temperature` must be strictly positive"),
    ],
)
@pytest.mark.parametrize("dialect", OTHERS)
def test_a_stream_looks_at_its_own_rules_first(
    ask: Ask, read_events: ReadEvents, dialect: str, parameters: dict[str, Any], words: str
) -> None:
    (event,) = read_events(ask({"inputs": "x", "stream": True, "parameters": parameters}, dialect=dialect))

    assert {"error": f"Input validation error: {words}", "error_type": "validation"} == event


@pytest.mark.parametrize(
    ("inputs", "parameters", "words"),
    [
        ("", {"truncate": 0}, "`inputs` cannot be empty"),
        ("", {"top_n_tokens": 9}, "`top_n_tokens` must be >= 0 and <= 5. Given: 9"),
        ("x", {"truncate": 30}, "`truncate` must be strictly positive and less than 20. Given: 30"),
        (
            "a " * 25,
            {"max_new_tokens": 20},
            "`inputs` tokens + `max_new_tokens` must be <= 40. Given: {} `inputs` tokens and 20 `max_new_tokens`",
        ),
        ("a " * 25, {}, "`inputs` must have less than 20 tokens. Given: {}"),
        ("a " * 25, {"grammar": {"type": "json", "value": "{"}}, "`inputs` must have less than 20 tokens. Given: {}"),
        (
            "x",
            {"max_new_tokens": 5, "grammar": {"type": "json", "value": {"type": "object"}}},
            "grammar is not valid: Grammar must have a 'properties' field",
        ),
    ],
)
def test_lengths_and_grammars_come_last_in_the_routers_words(
    ask: Ask, vocabulary: Vocabulary, inputs: str, parameters: dict[str, Any], words: str
) -> None:
    response = ask({"inputs": inputs, "parameters": parameters}, dialect="tgi", max_total_tokens=40, max_input_tokens=20)

    assert f"Input validation error: {words.format(len(vocabulary.encode(inputs)))}" == response.json["error"]


@pytest.mark.parametrize("parameters", [{"best_of": 0}, {"seed": 0}, {"top_n_tokens": 0}, {"frequency_penalty": -2.0}, {"stop": [""]}])
def test_what_the_page_forbids_and_the_router_takes(ask: Ask, parameters: dict[str, Any]) -> None:
    assert ask({"inputs": "x", "parameters": {"max_new_tokens": 2, **parameters}}, dialect="tgi").status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{", None, 400, "Failed to parse the request body as JSON: "),
        (b"{}", None, 422, "Failed to deserialize the JSON body into the target type: missing field `inputs`"),
        (b"{}", {}, 415, "Expected request with `Content-Type: application/json`"),
        (b" " * 2_000_001, None, 413, "Failed to buffer the request body: length limit exceeded"),
    ],
)
@pytest.mark.parametrize("dialect", OTHERS)
def test_an_unreadable_body_is_refused_in_text(
    ask: Ask, dialect: str, body: bytes, headers: dict[str, str] | None, status: int, words: str
) -> None:
    response = ask(body, headers=headers, dialect=dialect)

    assert (response.status_code, response.content_type) == (status, "text/plain; charset=utf-8")
    assert response.get_data(as_text=True).startswith(words)


@pytest.mark.parametrize("parameters", [{"top_p": 3.0}, {"best_of": 2}, {"best_of": 0}, {"decoder_input_details": True}])
@pytest.mark.parametrize("dialect", OTHERS)
def test_a_refused_stream_is_200_and_one_event(ask: Ask, read_events: ReadEvents, dialect: str, parameters: dict[str, Any]) -> None:
    response = ask({"inputs": "four", "stream": True, "parameters": parameters}, dialect=dialect)

    assert response.status_code == 200
    assert response.headers["x-compute-characters"] == "4"
    assert [event.keys() for event in read_events(response)] == [{"error", "error_type"}]


def test_a_stop_sequence_inside_a_token_is_missed(ask: Ask) -> None:
    greedy = ask({"inputs": "The sea", "parameters": FEW}, "/generate").json["details"]["tokens"]
    inside = next(token["text"][:-1] for token in greedy if len(token["text"]) > 3)
    payload = {"inputs": "The sea", "parameters": {**FEW, "stop": [inside]}}

    assert ask(payload, "/generate").json["details"]["finish_reason"] == "stop_sequence"
    assert ask(payload, "/generate", dialect="tgi").json["details"]["generated_tokens"] == len(greedy)


def test_a_whole_reply_tells_what_it_took(ask: Ask) -> None:
    response = ask({"inputs": "The sé", "parameters": FEW}, "/", dialect="tgi")

    assert TIMES <= {name.lower() for name in response.headers.keys()}  # noqa: SIM118 (werkzeug iterates over pairs)
    assert response.headers["x-compute-characters"] == "6"
    assert response.headers["x-generated-tokens"] == str(response.json[0]["details"]["generated_tokens"])


def test_a_stream_tells_only_what_is_known_before_it(ask: Ask) -> None:
    response = ask({"inputs": "The sea", "stream": True, "parameters": FEW}, "/", dialect="tgi")
    told = {name.lower() for name in response.headers.keys() if name.lower().startswith("x-")}  # noqa: SIM118

    assert told == {"x-compute-type", "x-compute-characters", "x-accel-buffering"}


def test_an_error_tells_none_of_it(ask: Ask) -> None:
    response = ask({"inputs": "x", "parameters": {"top_p": 2.0}}, dialect="tgi")

    assert [name for name, _ in response.headers if name.lower().startswith("x-")] == []


def test_the_front_door_names_each_reply_and_the_state_of_the_model(ask: Ask) -> None:
    one, other = (ask({"inputs": "x", "parameters": {"top_p": bad}}, dialect="hosted").headers for bad in (2.0, 3.0))

    assert re.fullmatch(r"[\w-]{21}", one["x-request-id"])
    assert one["x-request-id"] != other["x-request-id"]
    assert one["x-sha"] == other["x-sha"]


# ---------------------------------------------------------------- routes


@pytest.mark.parametrize(("path", "method", "status"), [("/nothing", "GET", 404), ("/generate", "GET", 405), ("/models/x/y", "POST", 404)])
def test_tgi_refuses_a_path_or_a_method_without_a_word(
    serve: Callable[..., Flask], path: str, method: str, status: int
) -> None:
    response = serve(dialect="tgi").test_client().open(path, method=method, json={"inputs": "x"})

    assert (response.status_code, response.data, "content-type" in response.headers) == (status, b"", False)
    assert response.headers.get("allow") == ("POST" if status == 405 else None)


def test_hosted_says_which_model_does_not_exist(ask: Ask) -> None:
    assert ask({"inputs": "x"}, "/models/x/y", dialect="hosted").json == {"error": "Model x/y does not exist"}


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
def test_tgi_is_healthy_at_three_paths(serve: Callable[..., Flask], path: str) -> None:
    response = serve(dialect="tgi").test_client().get(path)

    assert (response.status_code, response.data) == (200, b"")


def test_tokenize_tells_where_each_token_stands_in_bytes(ask: Ask) -> None:
    prompt = "The sé \U0001f389"
    tokens = ask({"inputs": prompt, "parameters": {"truncate": 1}}, "/tokenize", dialect="tgi").json

    assert [*tokens[0]] == ["id", "text", "start", "stop"]
    assert [0, *(token["stop"] for token in tokens)] == [*(token["start"] for token in tokens), len(prompt.encode())]


@pytest.mark.parametrize(("dialect", "status"), [("documented", 422), ("tgi", 200), ("hosted", 200)])
def test_the_router_looks_at_no_bounds_where_it_only_tokenizes(ask: Ask, dialect: str, status: int) -> None:
    assert status == ask({"inputs": "x", "parameters": {"top_p": 9.0}}, "/tokenize", dialect=dialect).status_code


@pytest.mark.parametrize(
    ("body", "status"), [(b'{"inputs": 7}', 422), (b'{"inputs": "x", "parameters": {"top_p": "x"}}', 422), (b"{", 400)]
)
def test_tokenize_refuses_what_is_no_request_in_text(ask: Ask, body: bytes, status: int) -> None:
    response = ask(body, "/tokenize", dialect="tgi")

    assert (status, "text/plain; charset=utf-8") == (response.status_code, response.content_type)


def test_no_text_has_no_tokens(ask: Ask) -> None:
    assert [] == ask({"inputs": ""}, "/tokenize", dialect="tgi").json


def test_tokenize_asks_for_the_token_and_reads_like_the_others(ask: Ask) -> None:
    assert ask({"inputs": "x"}, "/tokenize", tokens=("t",)).status_code == 401
    assert ask({"inputs": 7}, "/tokenize").status_code == 422


def test_metrics_count_what_was_asked(ask: Ask, serve: Callable[..., Flask]) -> None:
    settings = {"dialect": "tgi", "seed": 99}
    ask({"inputs": "x", "parameters": {"max_new_tokens": 1}}, "/", **settings)
    ask(b"{", "/", **settings)
    response = serve(**settings).test_client().get("/metrics")

    assert response.content_type.startswith("text/plain")
    for line in ("tgi_request_total 2.0", "tgi_request_success_total 1.0", 'tgi_request_failure_total{status="400"} 1.0'):
        assert line in response.get_data(as_text=True).splitlines()


# ---------------------------------------------------------------- browsers


def test_a_preflight_is_answered_before_the_token_is_asked_for(serve: Callable[..., Flask]) -> None:
    client = serve(dialect="tgi", tokens=("t",)).test_client()
    response = client.options("/generate", headers={"origin": "http://a.test", "access-control-request-method": "POST"})

    assert response.status_code == 200
    assert response.headers["access-control-allow-headers"] == "content-type"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("dialect", "credentials"), [("documented", None), ("tgi", None), ("hosted", "true")])
def test_every_reply_is_marked_for_browsers(ask: Ask, dialect: str, credentials: str | None) -> None:
    response = ask({"inputs": "x", "parameters": {"max_new_tokens": 1}}, dialect=dialect)

    assert ("access-control-allow-origin" in response.headers) == (dialect != "documented")
    assert response.headers.get("access-control-allow-credentials") == credentials


@pytest.mark.parametrize("path", ["/models/google/gemma-2-2b-it", "/", "/generate", "/tokenize"])
@pytest.mark.parametrize("dialect", ["tgi", "hosted"])
def test_a_preflight_is_empty_on_every_route(serve: Callable[..., Flask], dialect: str, path: str) -> None:
    response = serve(dialect=dialect).test_client().options(path, headers={"access-control-request-method": "POST"})

    assert 200 == response.status_code
    assert b"" == response.get_data()
    assert "content-type" not in response.headers


# ---------------------------------------------------------------- the old form of frames


@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
@pytest.mark.parametrize("fault", [(), ("stream-line-separators",), ("frames-split",), ("stream-event-after-last",)])
def test_old_frames_carry_the_same_events(ask: Ask, dialect: str, fault: tuple[str, ...]) -> None:
    payload = {"inputs": "x", "parameters": {"max_new_tokens": 3}, "stream": True}
    new, old = (ask(payload, dialect=dialect, faults=fault, frames=form).get_data() for form in ("spaced", "tight"))

    assert old.startswith(b'data:{"index":')
    assert old == new.replace(b"data: ", b"data:")


@pytest.mark.parametrize("dialect", ["tgi", "hosted"])
def test_an_error_in_an_old_stream_is_an_old_frame(ask: Ask, dialect: str) -> None:
    payload = {"inputs": "x", "parameters": {"best_of": 2}, "stream": True}

    assert ask(payload, dialect=dialect, frames="tight").get_data().startswith(b'data:{"error":')


@pytest.mark.parametrize("dialect", ["documented", "hosted"])
def test_an_old_stream_is_kept_as_it_was(ask: Ask, dialect: str) -> None:
    payload = {"inputs": "kept", "parameters": {"max_new_tokens": 3}, "stream": True}
    first = ask(payload, dialect=dialect, frames="tight").get_data()
    second = ask(payload, dialect=dialect, frames="tight")

    assert first == second.get_data()
    assert "cache" == second.headers["x-compute-type"]


@pytest.mark.parametrize(("dialect", "path", "allowed"), [
    ("tgi", "/health", "GET,HEAD"),
    ("tgi", "/generate", "POST"),
    ("hosted", "/models/a/b", "GET, HEAD, OPTIONS, POST"),
])  # fmt: skip
def test_what_is_allowed_stands_in_one_order(serve: Callable[..., Flask], dialect: str, path: str, allowed: str) -> None:
    assert allowed == serve(dialect=dialect).test_client().delete(path).headers["allow"]


@pytest.mark.parametrize("value", ["true", "[]", "7", {}, {"type": "object"}])
def test_the_router_wants_properties_of_every_json_grammar(ask: Ask, value: Any) -> None:
    response = ask({"inputs": "x", "parameters": {"max_new_tokens": 3, "grammar": {"type": "json", "value": value}}}, dialect="tgi")

    assert 422 == response.status_code
    assert response.json["error"].startswith("Input validation error: grammar is not ")


@pytest.mark.parametrize("dialect", ["documented", *OTHERS])
def test_info_has_the_keys_of_the_router(serve: Callable[..., Flask], dialect: str) -> None:
    told = serve(dialect=dialect).test_client().get("/info").json
    keys = ["model_id", "model_sha", "model_pipeline_tag", "max_concurrent_requests", "max_best_of", "max_stop_sequences",
            "max_input_tokens", "max_total_tokens", "validation_workers", "max_client_batch_size", "router", "version", "sha",
            "docker_label"]  # fmt: skip

    assert [*keys, *([] if dialect == "tgi" else ["models", "max_top_n_tokens"])] == [*told]
