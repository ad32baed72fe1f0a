"""Known failures: a listed one does not fail the run, a stale one does, and the file says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract_tests.deviations import Deviation, propose_deviations, read_deviations
from contract_tests.errors import UsageError
from contract_tests.report.result import exit_code

Check = Callable[..., dict[str, Any]]
INDEX = "stream.index.counts"


def test_a_listed_failure_does_not_fail_the_run(check_mock: Check) -> None:
    result = check_mock("stream-index-from-0", profile="quick", deviations=(Deviation(INDEX, "we count from 0"),))

    assert 0 == exit_code(result)
    assert 1 == result["summary"]["fail"]


def test_an_unlisted_failure_does(check_mock: Check) -> None:
    assert 1 == exit_code(check_mock("stream-index-from-0", profile="quick", deviations=(Deviation("reply.object", "no"),)))


def test_a_listed_clause_that_passes_is_stale_and_fails_the_run(check_mock: Check) -> None:
    result = check_mock(profile="quick", deviations=(Deviation(INDEX, "we count from 0"),))

    assert 1 == exit_code(result)
    assert [INDEX] == [clause["id"] for clause in result["clauses"] if clause.get("deviation", {}).get("stale")]


def test_a_listed_clause_that_is_not_judged_is_let_be(check_mock: Check) -> None:
    result = check_mock(profile="quick", without=("stream",), deviations=(Deviation(INDEX, "no streams here"),))

    assert 0 == exit_code(result)


def test_a_proposed_file_makes_the_run_pass(check_mock: Check, tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(
        propose_deviations(check_mock("stream-index-from-0", "reply-list", profile="quick", seed=1)), encoding="utf-8"
    )

    assert {INDEX, "reply.object"} <= {deviation.clause for deviation in read_deviations(file)}
    assert 0 == exit_code(
        check_mock("stream-index-from-0", "reply-list", profile="quick", seed=1, deviations=read_deviations(file))
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[deviation", "is no TOML file"),
        ("deviation = 1", "holds no list"),
        ("[[deviation]]\nclause = 'stream.index.count'\nwhy = 'x'", "did you mean `stream.index.counts`"),
        ("[[deviation]]\nclause = 'stream.index.counts'", "does not say why"),
        ("deviation = ['x']", "names no clause"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(text)

    with pytest.raises(UsageError, match=words):
        read_deviations(file)
