"""The command line of ``load``, without a load."""

from __future__ import annotations

import io
import sys

import pytest
from click.testing import CliRunner

from contract_tests.cli import main
from contract_tests.load import command
from contract_tests.load.order import Order

URL = "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("words", "split"),
    [
        ((URL,), (URL, ())),
        (("--processes", "2", URL), (URL, ("--processes", "2"))),
        ((URL, "--expect-workers", "2"), (URL, ("--expect-workers", "2"))),
        (("--master-port", "5"), (None, ("--master-port", "5"))),
        (("localhost:1",), ("localhost:1", ())),
        ((), (None, ())),
    ],
)
def test_the_address_is_told_from_locusts_options(words: tuple[str, ...], split: object) -> None:
    assert split == command.split_words(words)


def test_an_order_arrives_as_it_was() -> None:
    order = Order(rate=2.5, select=("stream",), headers=(("x-team", "a"),), payloads=({"inputs": "x"},))

    assert order == Order.from_json(order.to_json())


def test_a_worker_is_told_nothing_but_where_its_master_is() -> None:
    line = command.locust_command(None, Order(), 5, "worker", ("--master-host", "10.0.0.4"))

    assert ["--worker", "--master-host", "10.0.0.4"] == line[-3:]
    assert "--users" not in line


def test_what_is_passed_on_comes_last_and_so_counts_for_more() -> None:
    line = command.locust_command(URL, Order(users=7), 5, "master", ("--stop-timeout", "99"))

    assert ["--master", "--stop-timeout", "99"] == line[-3:]


def test_a_complaint_of_locust_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    said = io.StringIO("a warning\n__main__.py: error: unrecognized arguments: --x\nDid you mean '--y'?\n")

    assert "unrecognized arguments: --x" == command._relay(said)
    assert "a warning\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "no endpoint was named"),
        (("localhost:1",), 2, "is no address of an endpoint"),
        ((URL,), 3, "could not be reached"),
        ((URL, "--users", "0"), 2, "0 is not in the range"),
        ((URL, "--rate", "0"), 2, "0 is not in the range"),
        ((URL, "--rate", "nan"), 2, "nan is no number"),
        ((URL, "--users", "1000000"), 2, "1000000 is not in the range"),
        ((URL, "--master", "--worker"), 2, "give --master or --worker, not both"),
        ((URL, "--worker"), 2, "leave the URL out"),
        ((URL, "--json", "a", "--html", "a"), 2, "--json and --html name the same file"),
        ((URL, "--without", "nonsense"), 2, "`nonsense` cannot be left out"),
        ((URL, "--token-env", "NO_SUCH_VARIABLE"), 2, "`NO_SUCH_VARIABLE` is not set"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], code: int, sentence: str) -> None:
    ended = CliRunner().invoke(main, ["load", *arguments])

    assert code == ended.exit_code
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_locust_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "locust", None)
    ended = CliRunner().invoke(main, ["load", URL])

    assert (2, "textgen-contract: `load` needs Locust: pip install 'textgen-contract[load]'\n") == (ended.exit_code, ended.stderr)
