"""What the command line makes of tokens, loading, rates and Redis."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from click.testing import CliRunner

import mockserver.serving
from mockserver.cli import main
from mockserver.config import Config


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    configs: list[Config] = []
    monkeypatch.setattr(mockserver.serving, "serve", configs.append)
    return configs


def test_the_options_reach_the_config(served: list[Config]) -> None:
    result = CliRunner().invoke(main, ["serve", "--token", "a", "--token", "b", "--cold", "3.5", "--rate-limit", "60/minute"])

    assert (result.output, result.exit_code) == ("", 0)
    assert served == [Config(tokens=("a", "b"), cold=3.5, rate_limit="60/minute")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate-limit", "often"], "'often' is no rate: write one such as 60/minute"),
        (["--token", "two words"], "a token is not empty"),
        (["--cold", "-1"], "--cold"),
        (["--cold", "5", "--dialect", "tgi"], "no front door"),
        (["--state", "nowhere"], "the address of a Redis"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(served: list[Config], arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["serve", *arguments])

    assert result.exit_code == 2
    assert words in result.output
    assert served == []


def test_a_missing_gevent_is_named_with_the_command(served: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["serve", "--server", "gevent"])

    assert (2, []) == (result.exit_code, served)
    assert "pip install 'textgen-contract[gevent]'" in result.output


def test_a_missing_redis_package_is_named_with_the_command(served: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["serve", "--state", "redis://127.0.0.1"])

    assert result.exit_code == 2
    assert "pip install 'textgen-contract[redis]'" in result.output
    assert served == []


def test_the_command_line_opens_none_of_the_libraries() -> None:
    code = "import sys, mockserver.cli; print(*{'cachelib', 'flask_limiter', 'limits', 'prometheus_client', 'redis'} & set(sys.modules))"

    assert "\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
