"""The line that repeats an exchange: a shell sends the same, and takes the token from where the user keeps it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from contract_tests.exchange import Case, Exchange
from contract_tests.report.result import curl

URL = "http://127.0.0.1:8080/models/me/mine?a=1&b='2'"


def words_of(line: str, **environment: str) -> list[str]:
    """What curl is given when a shell runs ``line``."""
    script = f'curl() {{ printf "%s\\0" "$@"; }}\n{line}'
    done = subprocess.run(["bash", "-c", script], env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash is installed")


@needs_bash
@pytest.mark.parametrize("name", ["HF_TOKEN", "MY_TOKEN", "my-token"])
def test_the_token_is_taken_from_the_variable_that_was_named(name: str) -> None:
    line = curl(Exchange(Case.of({"inputs": "Hi"}), URL, 200), token_env=name)

    assert "Authorization: Bearer planted" in words_of(line, **{name: "planted"})


@needs_bash
def test_a_shell_sends_the_same_request() -> None:
    payload = {"inputs": "it's \"$HOME\" `id` \\ é", "parameters": {"seed": 1}}
    words = words_of(curl(Exchange(Case.of(payload), URL, 200), token_env=""))

    assert URL in words
    assert payload == json.loads(words[-1])
    assert not [word for word in words if "Authorization" in word]
