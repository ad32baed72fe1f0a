"""What a command says that cannot do what was asked: one sentence, and the exit code for whose fault it is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from contract_tests.cli import main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("check --jobs 0", "'--jobs': 0 is not in the range 1<=x<=32: `textgen-contract check --help` tells what can be given."),
        ("check --rate nan", "nan is no number"),
        ("check --sed 1", "No such option '--sed' (did you mean"),
        ("check http://a http://b", "unexpected extra argument (http://b)"),
        ("judge no-such-file", "File 'no-such-file' does not exist"),
        ("judge", "Missing argument 'FILES...'"),
        ("load http://127.0.0.1/ --users 0", "'--users': 0 is not in the range"),
        ("chekc", "No such command 'chekc' (did you mean"),
    ],
)
def test_wrong_usage_is_one_sentence(words: str, sentence: str) -> None:
    ended = CliRunner().invoke(main, words.split(), prog_name="textgen-contract")

    assert (2, 1) == (ended.exit_code, len(ended.output.splitlines()))
    assert ended.output.startswith("textgen-contract: ")
    assert sentence in ended.output


def test_who_asks_for_nothing_is_shown_the_commands() -> None:
    assert "Commands:" in CliRunner().invoke(main, []).output


def test_nothing_is_said_to_a_reader_that_is_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run([sys.executable, "-m", "contract_tests", "clauses"], stdout=gone, stderr=subprocess.PIPE, check=False)

    assert b"" == ended.stderr
