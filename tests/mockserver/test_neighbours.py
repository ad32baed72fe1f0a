"""What clients ask beside text generation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

Serve = Callable[..., Flask]

MODEL = "google/gemma-2-2b-it"


@pytest.mark.parametrize("path", [f"/models/{MODEL}", f"/status/{MODEL}"])
@pytest.mark.parametrize("dialect", ["documented", "hosted"])
def test_old_clients_are_told_that_a_model_is_loaded(serve: Serve, dialect: str, path: str) -> None:
    told = serve(dialect=dialect).test_client().get(path).get_json()

    assert told["loaded"] is True
    assert told["state"] == "Loaded"
    assert told["framework"] == "text-generation-inference"
    assert isinstance(told["compute_type"], dict)


def test_asking_how_a_cold_model_is_starts_nothing(serve: Serve) -> None:
    client = serve(cold=60).test_client()
    first, second = (client.get(f"/models/{MODEL}").get_json() for _ in range(2))

    assert first == second
    assert (first["loaded"], first["state"]) == (False, "Loadable")
    assert client.get("/_mock/models").get_json()[0]["state"] == "cold"


def test_a_model_loaded_by_hand_is_loaded(serve: Serve) -> None:
    client = serve(cold=60, seed=3).test_client()
    client.post(f"/_mock/models/{MODEL}", json={"state": "loaded"})

    assert client.get(f"/status/{MODEL}").get_json()["loaded"] is True


@pytest.mark.parametrize("path", ["/models/no/such", "/models/none", "/status/no/such"])
def test_the_status_of_an_unknown_model_is_404_in_the_hosted_words(serve: Serve, path: str) -> None:
    response = serve().test_client().get(path)

    assert response.status_code == 404
    assert response.get_json() == {"error": f"Model {path.split('/', 2)[2]} does not exist"}


def test_the_router_knows_no_status(serve: Serve) -> None:
    assert serve(dialect="tgi").test_client().get(f"/models/{MODEL}").status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("route", ["v1/chat/completions", "v1/completions"])
@pytest.mark.parametrize("above", ["", f"models/{MODEL}/", "some/where/else/"])
@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
def test_what_newer_clients_call_is_404_with_a_sentence_that_names_the_docs(
    serve: Serve, dialect: str, above: str, route: str, method: str
) -> None:
    response = getattr(serve(dialect=dialect).test_client(), method)(f"/{above}{route}")

    assert response.status_code == 404
    sentence = response.get_json()["error"]
    assert "text-generation API" in sentence
    assert f"/{above}".rstrip("/") in sentence
    assert "docs/clients.md" in sentence


def test_a_long_address_is_not_sent_back_whole(serve: Serve) -> None:
    response = serve().test_client().post(f"/{'a' * 5000}/v1/completions")

    assert response.status_code == 404
    assert len(response.get_data()) < 600
