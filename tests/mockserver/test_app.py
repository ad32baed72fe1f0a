"""The server over its routes, in process."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from werkzeug.test import TestResponse

import mockserver.answer
import spec
from mockserver.config import RECOMMENDED_MODELS, Config, ConfigError

Ask = Callable[..., TestResponse]
ReadEvents = Callable[[TestResponse], list[Any]]

REPLY = Draft202012Validator(spec.schema("GenerateReply"))
EVENT = Draft202012Validator(spec.schema("StreamEvent"))
ERROR = Draft202012Validator(spec.schema("ErrorReply"))
MODEL = "/models/google/gemma-2-2b-it"
FEW = {"max_new_tokens": 6}


# ---------------------------------------------------------------- routes


def test_the_pages_own_example_is_answered(ask: Ask) -> None:
    response = ask({"inputs": "Can you please let us know more details about your "})

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert [*response.json] == ["generated_text"]


@pytest.mark.parametrize("model", RECOMMENDED_MODELS)
def test_the_recommended_models_are_served(ask: Ask, model: str) -> None:
    assert ask({"inputs": "hi", "parameters": FEW}, f"/models/{model}").status_code == 200


def test_each_model_has_its_own_voice(ask: Ask) -> None:
    payload = {"inputs": "The sea", "parameters": {"max_new_tokens": 60}}

    assert len({ask(payload, f"/models/{model}").data for model in RECOMMENDED_MODELS}) == len(RECOMMENDED_MODELS)


@pytest.mark.parametrize("path", ["/", "/generate"])
def test_the_first_model_answers_where_none_is_named(ask: Ask, path: str) -> None:
    payload = {"inputs": "The sea", "parameters": {"max_new_tokens": 30}}

    assert ask(payload, path).data == ask(payload).data


def test_a_model_without_owner_can_be_served(ask: Ask) -> None:
    assert ask({"inputs": "hi", "parameters": FEW}, "/models/gpt2", models=("gpt2",)).status_code == 200


@pytest.mark.parametrize("model", ["no/such", "gpt2", "google/gemma-2-2b-it-x", "Google/gemma-2-2b-it"])
def test_an_unknown_model_is_404_in_the_hosted_words(ask: Ask, model: str) -> None:
    response = ask({"inputs": "hi"}, f"/models/{model}")

    assert response.status_code == 404
    assert response.json == {"error": f"Model {model} does not exist"}


def test_generate_never_streams(ask: Ask) -> None:
    response = ask({"inputs": "hi", "stream": True, "parameters": FEW}, "/generate")

    assert response.content_type == "application/json"


@pytest.mark.parametrize("payload", [{"inputs": "hi", "parameters": FEW}, {"inputs": "hi", "stream": False, "parameters": FEW}])
def test_generate_stream_always_streams(ask: Ask, payload: Any) -> None:
    assert ask(payload, "/generate_stream").content_type == "text/event-stream"


def test_health_is_200_and_empty(serve: Callable[..., Flask]) -> None:
    response = serve().test_client().get("/health")

    assert (response.status_code, response.data) == (200, b"")


def test_info_tells_the_limits(serve: Callable[..., Flask]) -> None:
    response = serve(max_best_of=7).test_client().get("/info")

    assert Draft202012Validator(spec.schema("Info")).is_valid(response.json)
    assert response.json["max_best_of"] == 7
    assert response.json["models"] == [*RECOMMENDED_MODELS]


def test_openapi_json_is_the_document_with_this_servers_limits(serve: Callable[..., Flask]) -> None:
    document = serve(max_best_of=7).test_client().get("/openapi.json").json

    assert document["openapi"] == "3.2.0"
    assert document["components"]["schemas"]["Parameters"]["properties"]["best_of"]["maximum"] == 7


def test_every_path_of_the_document_is_routed(serve: Callable[..., Flask]) -> None:
    """What stands beside the API is not of the document: control, the page, old clients' status, the routes of other APIs."""
    routed = {rule.rule.replace("<", "{").replace(">", "}") for rule in serve().url_map.iter_rules()}
    beside = {path for path in routed if path.startswith(("/_mock/", "/docs", "/status/")) or "v1/" in path}

    assert spec.openapi()["paths"].keys() == routed - beside


# ---------------------------------------------------------------- parameters over the wire


def details(ask: Ask, **parameters: Any) -> Any:
    response = ask({"inputs": "The sea was", "parameters": {"details": True, "max_new_tokens": 12, **parameters}})
    assert response.status_code == 200, response.data
    return response.json["details"]


def ids(ask: Ask, **parameters: Any) -> list[int]:
    return [token["id"] for token in details(ask, **parameters)["tokens"]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"repetition_penalty": 3.0},
        {"frequency_penalty": 2.0, "repetition_penalty": 1.5},
        {"watermark": True},
        {"truncate": 1},
        {"adapter_id": "demo/haiku"},
        {"grammar": {"type": "regex", "value": "[0-9]+"}},
        {"do_sample": True, "seed": 1, "temperature": 3.0},
    ],
)
def test_a_parameter_in_effect_changes_the_tokens(ask: Ask, parameters: dict[str, Any]) -> None:
    assert ids(ask, max_new_tokens=60, **parameters) != ids(ask, max_new_tokens=60)


@pytest.mark.parametrize("parameters", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_the_extremes_of_sampling_are_greedy(ask: Ask, parameters: dict[str, Any]) -> None:
    assert ids(ask, **parameters) == ids(ask)


@pytest.mark.parametrize("parameters", [{"typical_p": 0.2}, {"top_k": 20}, {"top_p": 0.5}])
def test_what_keeps_fewer_tokens_raises_their_logprobs(ask: Ask, parameters: dict[str, Any]) -> None:
    wide, narrow = (details(ask, seed=3, max_new_tokens=1, top_n_tokens=1, **each) for each in ({"do_sample": True}, parameters))

    assert narrow["top_tokens"][0][0]["logprob"] != wide["top_tokens"][0][0]["logprob"]


def test_prefill_is_the_prompt(ask: Ask) -> None:
    prefill = details(ask, decoder_input_details=True)["prefill"]

    assert "".join(token["text"] for token in prefill) == "The sea was"
    assert [token["logprob"] is None for token in prefill] == [True] + [False] * (len(prefill) - 1)


def test_best_of_tells_the_best_and_the_other(ask: Ask) -> None:
    best = details(ask, best_of=2, do_sample=True, temperature=2.0)
    (other,) = best["best_of_sequences"]

    def mean(sequence: Any) -> float:
        return float(sum(token["logprob"] for token in sequence["tokens"]) / len(sequence["tokens"]))

    assert mean(best) >= mean(other)
    assert best["tokens"] != other["tokens"]


def test_a_grammar_is_kept_in_a_stream_too(ask: Ask, read_events: ReadEvents) -> None:
    parameters = {"grammar": {"type": "json", "value": {"enum": ["é", "ü"]}}, "max_new_tokens": 20}
    reply = ask({"inputs": "hi", "parameters": parameters}).json
    events = read_events(ask({"inputs": "hi", "stream": True, "parameters": parameters}))

    assert reply["generated_text"] in ('"é"', '"ü"')
    assert events[-1]["generated_text"] == reply["generated_text"]


def test_a_reported_seed_gives_its_sequence_again(ask: Ask) -> None:
    best = details(ask, best_of=2, do_sample=True, temperature=2.0)

    for sequence in (best, best["best_of_sequences"][0]):
        assert details(ask, seed=sequence["seed"], do_sample=True, temperature=2.0)["tokens"] == sequence["tokens"]


def test_the_servers_seed_changes_requests_that_bring_none(ask: Ask) -> None:
    payload = {"inputs": "hi", "parameters": {"do_sample": True, "temperature": 2.0}}

    assert ask(payload).data == ask(payload).data
    assert ask(payload, seed=1).data != ask(payload, seed=2).data


def test_the_full_text_has_the_whole_prompt_though_it_was_truncated(ask: Ask) -> None:
    response = ask({"inputs": "One two three", "parameters": {"return_full_text": True, "truncate": 1, **FEW}})

    assert response.json["generated_text"].startswith("One two three")


def test_an_unknown_adapter_is_404_and_the_known_ones_are_named(ask: Ask) -> None:
    response = ask({"inputs": "hi", "parameters": {"adapter_id": "nobody/nothing"}})

    assert response.status_code == 404
    assert "nobody/nothing" in response.json["error"]
    assert "demo/haiku" in response.json["error"]


def test_what_real_clients_send_null_for_is_taken(ask: Ask) -> None:
    names = spec.openapi()["components"]["schemas"]["Parameters"]["properties"]

    assert ask({"inputs": "hi", "parameters": dict.fromkeys(names), "stream": False}).status_code == 200


def test_ignored_parameters_are_named_in_a_header(ask: Ask) -> None:
    payload = {"inputs": "hi", "parameters": {**FEW, "stop_sequences": ["a"]}}

    for stream in (False, True):
        assert ask({**payload, "stream": stream}).headers["x-ignored-parameters"] == "parameters.stop_sequences"
    assert "x-ignored-parameters" not in ask({"inputs": "hi", "parameters": FEW}).headers


def test_unknown_parameters_are_refused_on_request(ask: Ask) -> None:
    response = ask({"inputs": "hi", "parameters": {"stop_sequences": ["a"]}}, unknown_parameters="refuse")

    assert response.status_code == 422
    assert "did you mean `stop`?" in response.json["error"]


# ---------------------------------------------------------------- streams


def test_the_headers_of_a_stream(ask: Ask) -> None:
    headers = ask({"inputs": "hi", "stream": True, "parameters": FEW}).headers

    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


PARAMETERS = st.fixed_dictionaries(
    {"max_new_tokens": st.integers(1, 12), "details": st.just(True)},
    optional={
        "do_sample": st.booleans(),
        "frequency_penalty": st.floats(-2, 2),
        "repetition_penalty": st.floats(0.5, 3),
        "return_full_text": st.booleans(),
        "seed": st.integers(0, 2**64 - 1),
        "stop": st.lists(st.sampled_from(["e", " the", ".", "\n", "in", "é"]), max_size=4),
        "temperature": st.floats(0.01, 10),
        "top_k": st.integers(1, 2**31 - 1),
        "top_n_tokens": st.integers(0, 5),
        "top_p": st.floats(0.01, 1),
        "truncate": st.integers(1, 4095),
        "typical_p": st.floats(0.01, 1),
        "watermark": st.booleans(),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inputs=st.text(min_size=1, max_size=20), parameters=PARAMETERS)
def test_the_folded_stream_is_the_plain_reply(ask: Ask, read_events: ReadEvents, inputs: str, parameters: Any) -> None:
    reply = ask({"inputs": inputs, "parameters": parameters}).json
    events = read_events(ask({"inputs": inputs, "parameters": parameters, "stream": True}))

    assert REPLY.is_valid(reply)
    assert all(EVENT.is_valid(event) for event in events)
    assert [event["index"] for event in events] == [*range(1, len(events) + 1)]
    assert [event["generated_text"] for event in events[:-1]] == [None] * (len(events) - 1)
    last = events[-1]["details"]
    details = {key: last[key] for key in ("finish_reason", "generated_tokens", "seed")}
    details |= {"prefill": [], "tokens": [event["token"] for event in events]}
    if parameters.get("top_n_tokens"):
        details["top_tokens"] = [event["top_tokens"] for event in events]
    assert {"generated_text": events[-1]["generated_text"], "details": details} == reply
    prompt = inputs if parameters.get("return_full_text") else ""
    plain = [token["text"] for token in details["tokens"] if not token["special"]]
    assert prompt + "".join(plain) == reply["generated_text"]


def test_a_stream_is_made_as_it_is_read(serve: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    generate = mockserver.answer.generate

    def counted(*arguments: Any, **options: Any) -> Any:
        for event in generate(*arguments, **options):
            made.append(1)
            yield event

    monkeypatch.setattr(mockserver.answer, "generate", counted)
    payload = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 50}}
    response = serve().test_client().post(MODEL, json=payload, buffered=False)
    first = next(response.iter_encoded())
    response.close()

    assert json.loads(first.removeprefix(b"data: "))["index"] == 1
    assert len(made) <= 4  # the prefill, the first step, and what the test client itself peeks at


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": -1},
        {"decoder_input_details": True},
        {"max_new_tokens": 5000},
        {"grammar": {"type": "regex", "value": "("}},
        {"grammar": {"type": "regex", "value": "(a?){500}a{500}"}},
    ],
)
def test_what_is_wrong_before_the_first_token_is_a_status_for_streams_too(ask: Ask, parameters: Any) -> None:
    response = ask({"inputs": "hi", "stream": True, "parameters": parameters})

    assert response.status_code == 422
    assert response.content_type == "application/json"
    assert response.json["error_type"] == "validation"


# ---------------------------------------------------------------- bad input

BAD_BODIES: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"hello", 400),
    (b"{", 400),
    (b'{"inputs":"hi"} x', 400),
    (b'{"inputs":"hi","parameters":{"temperature":NaN}}', 400),
    (b'{"inputs":"\xff"}', 400),
    (b'\xef\xbb\xbf{"inputs":"hi"}', 400),
    (b"[" * 200_000, 400),
    (b'{"a":' * 200_000, 400),
    (b"[]", 422),
    (b"null", 422),
    (b'"hi"', 422),
    (b"{}", 422),
    (b'{"inputs":"a","inputs":"b"}', 422),
    (b'{"inputs":"\\udc00"}', 422),
    (b'{"inputs":"hi","parameters":{"seed":18446744073709551616}}', 422),
    (b'{"inputs":"hi","parameters":{"top_k":1' + b"0" * 10_000 + b"}}", 422),
    (b'{"inputs":"hi","parameters":{"temperature":1e999}}', 422),
    (b'{"inputs":"hi","parameters":{"max_new_tokens":20.0}}', 422),
    (b'{"inputs":"hi","parameters":{"max_new_tokens":true}}', 422),
    (b'{"inputs":"hi","parameters":{"max_new_tokens":4294967295}}', 422),
    (b'{"inputs":"' + b"word " * 10_000 + b'"}', 422),
    (b'{"inputs":"' + b"x" * 3_000_000 + b'"}', 413),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=lambda value: repr(value)[:40])
def test_a_bad_body_is_refused_in_json_and_the_server_goes_on(ask: Ask, body: bytes, status: int) -> None:
    response = ask(body)

    assert response.status_code == status
    assert response.content_type == "application/json"
    assert ERROR.is_valid(response.json)
    assert response.json["error_type"]
    assert ask({"inputs": "hi", "parameters": {"max_new_tokens": 1}}).status_code == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_not_declared_json_is_415(ask: Ask, content_type: str | None) -> None:
    response = ask({"inputs": "hi"}, headers={"content-type": content_type} if content_type else {})

    assert response.status_code == 415
    assert response.json["error_type"] == "unsupported_media_type"


def test_a_body_without_length_is_read_in_chunks(serve: Callable[..., Flask]) -> None:
    import io

    client = serve().test_client()
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": None}
    good = io.BytesIO(b'{"inputs":"hi","parameters":{"max_new_tokens":1}}')
    large = io.BytesIO(b'{"inputs":"' + b"x" * 3_000_000)

    for stream, status in ((good, 200), (large, 413)):
        response = client.post(
            MODEL, input_stream=stream, headers={"transfer-encoding": "chunked"}, content_type="application/json",
            environ_overrides=chunked,
        )  # fmt: skip
        assert response.status_code == status


@pytest.mark.parametrize("path", ["/models", "/models/", "/models/a/b/c", "/nothing", "/models/google//gemma-2-2b-it"])
def test_an_unknown_path_is_404_in_json(ask: Ask, path: str) -> None:
    response = ask({"inputs": "hi"}, path)

    assert response.status_code == 404
    assert response.json["error_type"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", "/generate", "POST"), ("PUT", MODEL, "POST"), ("POST", "/info", "GET")]
)
def test_a_wrong_method_is_405_and_the_right_one_is_told(
    serve: Callable[..., Flask], method: str, path: str, allowed: str
) -> None:
    response = serve().test_client().open(path, method=method)

    assert response.status_code == 405
    assert allowed in response.headers["allow"].split(", ")
    assert response.json["error_type"] == "method_not_allowed"


def test_what_nobody_expected_is_500_without_its_words(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(mockserver.answer, "plan", broken)
    with caplog.at_level(logging.ERROR, "mockserver"):
        response = ask({"inputs": "what no other test asks, so that no reply is kept"})

    assert response.status_code == 500
    assert response.json["error_type"] == "internal"
    assert "secret" not in response.get_data(as_text=True)
    assert "secret" in caplog.text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*spec.openapi()["components"]["schemas"]["Parameters"]["properties"], "other"]),
        st.none() | st.booleans() | st.integers(-3, 2**65) | st.floats() | st.text(max_size=3) | st.lists(st.text(max_size=2)),
        max_size=4,
    )
)
def test_no_parameters_whatever_give_a_5xx(ask: Ask, parameters: dict[str, Any]) -> None:
    response = ask({"inputs": "hi", "parameters": {"max_new_tokens": 3, **parameters}})

    assert response.status_code in (200, 400, 404, 422)
    assert response.status_code == 200 or ERROR.is_valid(response.json)


# ---------------------------------------------------------------- config


def test_the_defaults_are_the_bounds_of_the_spec() -> None:
    config = Config()

    assert (config.max_input_tokens, config.max_total_tokens, config.default_max_new_tokens) == (4095, 4096, 100)
    assert (config.max_best_of, config.max_stop_sequences, config.max_top_n_tokens) == (2, 4, 5)


@pytest.mark.parametrize(
    "settings",
    [
        {"dialect": "none"},
        {"models": ()},
        {"models": ("",)},
        {"max_total_tokens": 10},
        {"max_best_of": 0},
        {"max_top_n_tokens": -1},
    ],
)
def test_a_config_that_cannot_be_served_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Config(**settings)
