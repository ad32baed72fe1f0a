"""Models that load: by a clock that only moves when somebody sleeps by it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mockserver import Config, create_app
from mockserver.config import ConfigError
from mockserver.scenario.pacing import VirtualClock

MODEL = "google/gemma-2-2b-it"
OTHER = "microsoft/phi-4"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def client(clock: VirtualClock) -> FlaskClient:
    return create_app(Config(cold=20.0), clock=clock).test_client()


def ask(client: FlaskClient, model: str = MODEL, options: Any = None, **headers: str) -> TestResponse:
    payload = {"inputs": "hi", "parameters": {"max_new_tokens": 2}} | ({} if options is None else {"options": options})
    sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/models/{model}", data=json.dumps(payload), headers=sent)


def test_the_first_request_starts_a_model_and_is_told_so(client: FlaskClient) -> None:
    response = ask(client)

    assert response.status_code == 503
    assert response.json == {"error": f"Model {MODEL} is currently loading", "estimated_time": 20.0}


def test_the_time_that_is_left_shrinks(client: FlaskClient, clock: VirtualClock) -> None:
    ask(client)
    clock.sleep(15.5)

    assert ask(client).json["estimated_time"] == 4.5


def test_a_loaded_model_answers(client: FlaskClient, clock: VirtualClock) -> None:
    ask(client)
    clock.sleep(20)

    assert ask(client).status_code == 200


def test_each_model_loads_by_itself(client: FlaskClient, clock: VirtualClock) -> None:
    ask(client)
    clock.sleep(20)

    assert ask(client, OTHER).status_code == 503


@pytest.mark.parametrize("value", ["true", "1", "TRUE", "yes"])
def test_with_the_header_the_request_waits(client: FlaskClient, clock: VirtualClock, value: str) -> None:
    response = ask(client, x_wait_for_model=value)

    assert response.status_code == 200
    assert clock.now() == pytest.approx(20)


def test_the_old_options_field_says_the_same(client: FlaskClient) -> None:
    assert ask(client, options={"wait_for_model": True, "use_gpu": False}).status_code == 200


def test_the_header_counts_for_more_than_the_field(client: FlaskClient) -> None:
    assert ask(client, options={"wait_for_model": True}, x_wait_for_model="false").status_code == 503


@pytest.mark.parametrize("value", ["", "maybe", "true, true", "2"])
def test_a_header_that_is_neither_is_refused_by_name(client: FlaskClient, value: str) -> None:
    response = ask(client, x_wait_for_model=value)

    assert response.status_code == 422
    assert "`x-wait-for-model` must be true or false" in response.json["error"]


@pytest.mark.parametrize(("options", "words"), [(7, "`options` must be"), ({"wait_for_model": 1}, "`options.wait_for_model` must")])
def test_options_of_the_wrong_type_are_refused_by_name(client: FlaskClient, options: Any, words: str) -> None:
    response = ask(client, options=options)

    assert response.status_code == 422
    assert words in response.json["error"]


def test_a_bad_request_starts_no_model(client: FlaskClient) -> None:
    client.post(f"/models/{MODEL}", data=b"{}", headers={"content-type": "application/json"})

    assert client.get("/_mock/models").json[0] == {"id": MODEL, "state": "cold"}


def test_a_model_can_be_loaded_and_evicted_by_hand(client: FlaskClient) -> None:
    assert client.post(f"/_mock/models/{MODEL}", json={"state": "loaded"}).json == {"id": MODEL, "state": "loaded"}
    assert ask(client).status_code == 200
    assert client.post(f"/_mock/models/{MODEL}", json={"state": "cold"}).json == {"id": MODEL, "state": "cold"}
    assert ask(client).status_code == 503
    assert client.get("/_mock/models").json[0] == {"id": MODEL, "state": "loading"}


@pytest.mark.parametrize("body", [{}, {"state": "warm"}, [], {"state": "cold", "more": 1}])
def test_another_state_is_refused(client: FlaskClient, body: Any) -> None:
    assert client.post(f"/_mock/models/{MODEL}", json=body).status_code == 400


def test_without_cold_models_are_always_loaded() -> None:
    client = create_app(Config()).test_client()

    assert {row["state"] for row in client.get("/_mock/models").json} == {"loaded"}
    assert client.post(f"/_mock/models/{MODEL}", json={"state": "cold"}).status_code == 400


def test_tgi_has_no_front_door_that_could_tell() -> None:
    with pytest.raises(ConfigError, match="no front door"):
        Config(dialect="tgi", cold=1.0)


# ---------------------------------------------------------------- the clock is changed


class ChangedClock(VirtualClock):
    """A clock of the wall: somebody may set it."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong = 0.0

    def time(self) -> float:
        return super().time() + self.wrong


@pytest.fixture
def by_the_wall(redis_url: str) -> tuple[FlaskClient, ChangedClock]:
    """Workers that share their state go by the clock of the wall."""
    clock = ChangedClock()
    return create_app(Config(cold=20.0, state=redis_url), clock=clock).test_client(), clock


def test_a_clock_set_back_makes_no_model_load_longer_than_anew(by_the_wall: tuple[FlaskClient, ChangedClock]) -> None:
    client, clock = by_the_wall
    ask(client)
    clock.wrong = -86_400.0

    assert 20.0 == ask(client).json["estimated_time"]


def test_a_clock_set_forward_ends_the_loading(by_the_wall: tuple[FlaskClient, ChangedClock]) -> None:
    client, clock = by_the_wall
    ask(client)
    clock.wrong = 86_400.0

    assert 200 == ask(client).status_code


def test_a_request_that_waits_is_answered_though_the_clock_is_set_back(by_the_wall: tuple[FlaskClient, ChangedClock]) -> None:
    client, clock = by_the_wall
    ask(client)
    clock.wrong = -5.0

    assert 200 == ask(client, x_wait_for_model="true").status_code
    assert clock.now() <= 30.0
