"""How often one client may ask."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from mockserver import Config, create_app
from mockserver.config import ConfigError

FEW = {"inputs": "hi", "parameters": {"max_new_tokens": 1}}


def limited(rate: str = "2/hour", dialect: str = "documented") -> FlaskClient:
    return create_app(Config(rate_limit=rate, dialect=dialect)).test_client()


def test_beyond_the_rate_a_client_reads_the_recorded_words() -> None:
    client = limited()
    statuses = [client.post("/", json=FEW).status_code for _ in range(2)]
    refused = client.post("/", json=FEW)

    assert [*statuses, refused.status_code] == [200, 200, 429]
    assert refused.json == {"error": "Rate limit reached. Please log in or use a HF access token"}
    assert 0 < int(refused.headers["retry-after"]) <= 3600


def test_all_generating_routes_count_together() -> None:
    client = limited()
    paths = ("/generate", "/models/google/gemma-2-2b-it", "/generate_stream")

    assert [client.post(path, json=FEW).status_code for path in paths] == [200, 200, 429]


def test_each_address_counts_by_itself() -> None:
    client = limited("1/hour")
    addresses = ("10.0.0.1", "10.0.0.2", "10.0.0.1")

    statuses = [client.post("/", json=FEW, environ_base={"REMOTE_ADDR": address}).status_code for address in addresses]
    assert statuses == [200, 200, 429]


def test_other_routes_are_free() -> None:
    client = limited("1/hour")

    assert {client.get("/health").status_code for _ in range(5)} == {200}


def test_tgi_is_overloaded() -> None:
    client = limited("1/hour", "tgi")
    client.post("/", json=FEW)

    assert client.post("/", json=FEW).json == {"error": "Model is overloaded", "error_type": "overloaded"}


@pytest.mark.parametrize("rate", ["often", "60", "", "0.5/day/week"])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ConfigError, match="is no rate"):
        limited(rate)
