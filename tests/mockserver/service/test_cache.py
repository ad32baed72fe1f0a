"""Replies that are given again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mockserver import Config, create_app
from mockserver.config import RECOMMENDED_MODELS
from mockserver.service.cache import LARGEST

SAMPLED: dict[str, Any] = {"inputs": "The sea", "parameters": {"max_new_tokens": 30, "do_sample": True, "details": True}}
GREEDY: dict[str, Any] = {"inputs": "The sea", "parameters": {"max_new_tokens": 6}}


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Config()).test_client()


def ask(client: FlaskClient, payload: Any, use_cache: str | None = None, path: str = "/") -> TestResponse:
    headers = {"content-type": "application/json"} | ({} if use_cache is None else {"x-use-cache": use_cache})
    return client.post(path, data=json.dumps(payload), headers=headers)


def read_to_the_end(client: FlaskClient, payload: Any) -> TestResponse:
    response = ask(client, payload)
    response.get_data()
    return response


def is_kept(response: TestResponse) -> bool:
    return response.headers.get("x-compute-type") == "cache"


@pytest.mark.parametrize("payload", [GREEDY, SAMPLED, {**GREEDY, "stream": True}, {**SAMPLED, "stream": True}])
def test_the_same_request_gets_the_same_bytes_marked_as_kept(client: FlaskClient, payload: Any) -> None:
    first, again = read_to_the_end(client, payload), read_to_the_end(client, payload)

    assert first.data == again.data
    assert (is_kept(first), is_kept(again)) == (False, True)
    assert first.content_type == again.content_type


def test_a_stream_is_given_again_event_by_event(client: FlaskClient) -> None:
    frames = [[*ask(client, {**GREEDY, "stream": True}).response] for _ in range(2)]

    assert len(frames[0]) == 6
    assert frames[0] == frames[1]


def test_another_spelling_of_the_same_request_is_the_same(client: FlaskClient) -> None:
    ask(client, GREEDY)
    nulls = {"inputs": "The sea", "stream": False, "parameters": {**GREEDY["parameters"], "seed": None}, "options": {}}

    assert is_kept(ask(client, nulls, path=f"/models/{RECOMMENDED_MODELS[0]}"))


@pytest.mark.parametrize(
    "other",
    [{**GREEDY, "inputs": "The sky"}, {**GREEDY, "parameters": {"max_new_tokens": 7}}, {**GREEDY, "stream": True}, SAMPLED],
)
def test_another_request_is_answered_anew(client: FlaskClient, other: Any) -> None:
    ask(client, GREEDY)

    assert not is_kept(ask(client, other))


def test_another_model_is_answered_anew(client: FlaskClient) -> None:
    ask(client, GREEDY)

    assert not is_kept(ask(client, GREEDY, path=f"/models/{RECOMMENDED_MODELS[1]}"))


def test_without_cache_a_sampled_request_is_drawn_anew_each_time(client: FlaskClient) -> None:
    replies = [ask(client, SAMPLED), *(ask(client, SAMPLED, "false") for _ in range(5))]

    assert not any(map(is_kept, replies))
    assert len({reply.json["details"]["seed"] for reply in replies}) == 6


def test_a_new_draw_is_the_same_on_another_run_of_the_server() -> None:
    runs = [[ask(server, SAMPLED, "false").data for _ in range(3)] for server in (create_app().test_client() for _ in range(2))]

    assert runs[0] == runs[1]


def test_a_reported_seed_gives_the_new_draw_again(client: FlaskClient) -> None:
    drawn = ask(client, SAMPLED, "false").json
    told = {**SAMPLED, "parameters": {**SAMPLED["parameters"], "seed": drawn["details"]["seed"]}}

    assert drawn == ask(client, told).json


def test_a_seed_that_was_sent_stays(client: FlaskClient) -> None:
    payload = {**SAMPLED, "parameters": {**SAMPLED["parameters"], "seed": 5}}

    assert len({ask(client, payload, "false").data for _ in range(3)}) == 1


def test_a_greedy_request_has_the_same_text_without_the_cache(client: FlaskClient) -> None:
    assert ask(client, GREEDY).data == ask(client, GREEDY, "false").data


def test_what_was_asked_without_the_cache_is_not_kept(client: FlaskClient) -> None:
    ask(client, SAMPLED, "false")

    assert not is_kept(ask(client, SAMPLED))


@pytest.mark.parametrize("value", ["false", "0", "False", "no"])
def test_the_header_says_no_in_many_ways(client: FlaskClient, value: str) -> None:
    ask(client, GREEDY)

    assert not is_kept(ask(client, GREEDY, value))


def test_the_old_options_field_says_no_too(client: FlaskClient) -> None:
    ask(client, GREEDY)

    assert not is_kept(ask(client, {**GREEDY, "options": {"use_cache": False}}))


def test_a_header_that_is_neither_is_refused_by_name(client: FlaskClient) -> None:
    response = ask(client, GREEDY, "sometimes")

    assert response.status_code == 422
    assert "`x-use-cache` must be true or false" in response.json["error"]


def test_a_refusal_is_not_kept(client: FlaskClient) -> None:
    bad = {"inputs": "", "parameters": {}}

    assert [ask(client, bad).status_code, is_kept(ask(client, bad))] == [422, False]


def test_a_stream_that_a_client_left_is_not_kept(client: FlaskClient) -> None:
    left = ask(client, {**GREEDY, "stream": True})
    next(iter(left.response))
    left.close()

    assert not is_kept(ask(client, {**GREEDY, "stream": True}))


def test_a_reply_that_is_too_large_is_not_kept(client: FlaskClient) -> None:
    large = {"inputs": "x" * (LARGEST + 1), "parameters": {"return_full_text": True, "max_new_tokens": 1, "truncate": 1}}

    assert [ask(client, large).status_code, is_kept(ask(client, large))] == [200, False]


def test_the_cache_can_be_cleared(client: FlaskClient) -> None:
    ask(client, GREEDY)

    assert client.post("/_mock/cache/clear", json={}).json == {"cleared": True}
    assert not is_kept(ask(client, GREEDY))


def test_a_broken_server_keeps_nothing() -> None:
    client = create_app(Config(faults=("reply-list",))).test_client()
    ask(client, GREEDY)

    assert not is_kept(ask(client, GREEDY))


def test_tgi_has_no_cache_and_draws_anew() -> None:
    client = create_app(Config(dialect="tgi")).test_client()
    replies = [ask(client, SAMPLED, "true") for _ in range(2)]

    assert not any(map(is_kept, replies))
    assert replies[0].json[0]["details"]["seed"] != replies[1].json[0]["details"]["seed"]


def test_hosted_gives_a_kept_stream_in_one_piece() -> None:
    client = create_app(Config(dialect="hosted")).test_client()
    first, again = (read_to_the_end(client, {**GREEDY, "stream": True}) for _ in range(2))

    assert first.data == again.data
    assert again.headers["content-length"] == str(len(again.data))
    assert [is_kept(first), is_kept(again)] == [False, True]
