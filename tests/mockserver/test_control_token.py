"""Who knows the control token sits at the desk, and nobody else."""

from __future__ import annotations

import pytest

from mockserver import Config, create_app
from mockserver.config import ConfigError

TOKEN = "a-control-token"
ROUTES = [
    (rule.rule, method)
    for rule in create_app(Config()).url_map.iter_rules()
    if rule.rule.startswith("/_mock/")
    for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
]


@pytest.mark.parametrize(("path", "method"), ROUTES)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
def test_without_the_token_every_route_is_refused(path: str, method: str, header: str | None) -> None:
    client = create_app(Config(control_token=TOKEN)).test_client()
    headers = {} if header is None else {"authorization": header}

    assert 401 == client.open(path, method=method, headers=headers).status_code


def test_with_the_token_control_is_as_without_one() -> None:
    client = create_app(Config(control_token=TOKEN)).test_client()

    assert [] == client.get("/_mock/requests", headers={"authorization": f"Bearer {TOKEN}"}).get_json()


def test_the_model_does_not_ask_for_it() -> None:
    client = create_app(Config(control_token=TOKEN)).test_client()

    assert 200 == client.post("/", json={"inputs": "hi", "parameters": {"max_new_tokens": 1}}).status_code


def test_the_token_opens_no_door_to_another_origin() -> None:
    client = create_app(Config(control_token=TOKEN)).test_client()
    headers = {"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}

    assert 403 == client.get("/_mock/requests", headers=headers).status_code


@pytest.mark.parametrize("settings", [{"control_token": ""}, {"control_token": "a b"}, {"control_token": "x", "control": False}])
def test_a_token_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Config(**settings)  # type: ignore[arg-type]


def test_the_token_stands_in_no_repr() -> None:
    assert TOKEN not in repr(Config(control_token=TOKEN))
