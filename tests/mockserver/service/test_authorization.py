"""Who may ask."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mockserver.config import Config, ConfigError
from mockserver.errors import UnauthorizedError
from mockserver.service.authorization import check_authorization

Ask = Callable[..., TestResponse]

TOKENS = ("hf_one", "hf_two")
FEW: dict[str, Any] = {"inputs": "hi", "parameters": {"max_new_tokens": 2}}


def lets_in(header: str | None, *, colon: bool = True) -> bool:
    try:
        check_authorization(header, TOKENS, colon_after_bearer=colon)
    except UnauthorizedError:
        return False
    return True


@pytest.mark.parametrize("header", ["Bearer hf_one", "Bearer hf_two", "bearer hf_one", "Bearer  hf_one ", "Bearer: hf_one"])
def test_a_known_token_is_let_in(header: str) -> None:
    assert lets_in(header)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "hf_one", "Basic hf_one", "Bearer hf_on", "Bearer hf_one2", "Bearer HF_ONE",
     "Bearer hf_one,Bearer hf_two", "Bearer:hf_one", "Bearer hf_öne", "Bearer " + "x" * 10_000],
)  # fmt: skip
def test_anything_else_is_not(header: str | None) -> None:
    assert not lets_in(header)


def test_the_colon_of_the_pages_table_is_taken_only_where_the_dialect_says_so() -> None:
    assert not lets_in("Bearer: hf_one", colon=False)


@pytest.mark.parametrize("header", [None, "Bearer hf_any", "nonsense"])
def test_without_tokens_anything_is_let_in(header: str | None) -> None:
    check_authorization(header, (), colon_after_bearer=True)


def test_a_missing_token_is_401_in_words(ask: Ask) -> None:
    response = ask(FEW, tokens=TOKENS)

    assert response.status_code == 401
    assert [*response.json] == ["error"]
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_the_right_token_is_answered(ask: Ask) -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer: hf_two"}

    assert ask(FEW, headers=headers, tokens=TOKENS).status_code == 200


def test_tgi_refuses_without_a_word(ask: Ask) -> None:
    response = ask(FEW, tokens=TOKENS, dialect="tgi")

    assert (response.status_code, response.data) == (401, b"")
    assert "content-type" not in response.headers


def test_a_body_is_not_looked_at_before_the_token(ask: Ask) -> None:
    assert ask(b"no json", tokens=TOKENS).status_code == 401


def test_tokens_stand_in_no_log_and_no_repr(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(FEW, headers={"content-type": "application/json", "authorization": "Bearer hf_wrong"}, tokens=TOKENS)

    assert "hf_" not in caplog.text
    assert "hf_one" not in repr(Config(tokens=TOKENS))


@pytest.mark.parametrize("token", ["", "two words", "ümlaut", "line\nbreak"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="a token"):
        Config(tokens=(token,))
