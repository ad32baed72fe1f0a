"""What is a secret, and what is not."""

from __future__ import annotations

import base64
import doctest

import pytest

import spec.secrets
from spec.secrets import MASK, Masker, is_secret_name, secrets_of_url

TOKEN = "hf_abcdefghijklmnopqrst"


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(spec.secrets)

    assert (0, True) == (found.failed, found.attempted > 1)


@pytest.mark.parametrize(
    "name", ["x-request-id", "x-prompt-tokens", "x-generated-tokens", "x-use-cache", "content-type", "monkey"]
)
def test_other_headers_are_kept(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("text", ["a prompt about hf_ tokens", "http://host:80/a@b", "see https://example.org/a:b@c", "sk-short"])
def test_what_only_looks_a_little_like_a_secret_is_kept(text: str) -> None:
    assert text == Masker().text(text)


def test_a_password_is_known_in_each_form_in_which_it_travels() -> None:
    basic = base64.b64encode(b"me:p@ss").decode()

    assert {"me:p%40ss", "p%40ss", "p@ss", basic} == set(secrets_of_url("http://me:p%40ss@host/"))


def test_a_short_value_is_no_secret() -> None:
    assert "yes, a key" == Masker(["yes", ""]).text("yes, a key")


@pytest.mark.parametrize("at", range(1, len(TOKEN)))
def test_a_shape_torn_in_two_is_found(at: int) -> None:
    assert [f"a {MASK}", " b"] == Masker().parts([f"a {TOKEN[:at]}", f"{TOKEN[at:]} b"])


def test_names_and_values_of_an_object_are_masked() -> None:
    assert {MASK: [MASK, 7, None]} == Masker(["mine"]).value({"mine": ["mine", 7, None]})
