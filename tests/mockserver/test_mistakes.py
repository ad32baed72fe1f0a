"""Options that cannot be: one sentence, exit code 2, and nothing listens."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mockserver import Config
from mockserver.cli import main
from mockserver.config import ConfigError


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Config) -> None:
        pytest.fail(f"it would listen: {config}")

    monkeypatch.setattr("mockserver.serving.serve", fail)


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--workers 0", "0 is not in the range"),
        ("--workers x", "'x' is not a valid integer"),
        ("--port", "Option '--port' requires an argument"),
        ("--dialect tgo", "'tgo' is not one of 'documented', 'tgi', 'hosted'"),
        ("--fualt seed-ignored", "No such option '--fualt' (did you mean"),
        ("seed-ignored", "unexpected extra argument (seed-ignored): `textgen-mock serve --help` tells what can be given"),
        ("--port 70000", "70000 is not in the range"),
        ("--itl 1e300", "is not in the range"),
        ("--itl nan", "`--itl` is milliseconds, from 0 to 3600000 (an hour). Given: nan"),
        ("--ttft inf", "is not in the range"),
        ("--cold nan", "`--cold` is seconds, from 0 to 86400 (a day). Given: nan"),
        ("--model a/b/c", "Given: 'a/b/c'"),
        ("--model /", "Given: '/'"),
        ("--token=", "a token is not empty"),
        ("--state redis://:secret@127.0.0.1:1/0 --workers 2", "127.0.0.1:1/0 does not answer, and 2 workers need it"),
        ("--state redis://me:secret@host:port/0", "the Redis at redis://host:port/0 cannot be used"),
        ("--state redis://no-such-host.invalid/0", "the Redis at redis://no-such-host.invalid/0 cannot be used"),
        ("--state http://127.0.0.1", "the address of a Redis"),
        ("--rate-limit often", "'often' is no rate"),
        ("--replay-timing", "give `--replay FILE` too"),
        ("--replay tape --strict", "leave `--script` and `--strict` out, or `--replay`"),
        ("--replay tape --itl 20", "or take `--replay-timing`"),
        ("--record tape --upstream http://x --pace gpu", "paces are for the model"),
        ("--record tape", "`--record FILE` and `--upstream URL` go together"),
        ("--record tape --upstream http://x --workers 2", "`--record` goes neither"),
        ("--strict --no-control", "lets nobody tell it"),
        ("--no-control --control-token x", "contradict each other"),
        ("--max-input-tokens 5 --max-total-tokens 5", "must be less than max_total_tokens"),
        ("--fault no-such-fault", "there is no fault called 'no-such-fault'"),
    ],
)
def test_a_mistake_is_one_sentence(options: str, sentence: str) -> None:
    if "redis" in options:
        pytest.importorskip("redis", reason="redis is not installed")
    ended = CliRunner().invoke(main, ["serve", *options.split()], prog_name="textgen-mock")

    assert (2, 1) == (ended.exit_code, len(ended.output.splitlines()))
    assert ended.output.startswith("Error: ")
    assert sentence in ended.output
    assert "secret" not in ended.output


def test_a_command_that_is_none_is_told_in_a_sentence() -> None:
    ended = CliRunner().invoke(main, ["srve"], prog_name="textgen-mock")

    assert (2, 1) == (ended.exit_code, len(ended.output.splitlines()))
    assert "'srve'" in ended.output


def test_who_asks_for_nothing_is_shown_the_commands() -> None:
    assert "Commands:" in CliRunner().invoke(main, []).output


@pytest.mark.parametrize("settings", [{"itl": 1e300}, {"jitter": float("nan")}, {"cold": float("inf")}])
def test_a_config_that_would_wait_for_ever_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="from 0 to"):
        Config(**settings)  # type: ignore[arg-type]
