"""Our clauses as a check of Schemathesis, in process and from its own command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

import spec
from contract_tests.errors import UsageError
from contract_tests.schemathesis_checks import _chosen, text_generation_contract
from mockserver import Config, create_app

DOCUMENT = Path(__file__).parents[2] / "docs" / "schemathesis.md"
FEW = settings(
    max_examples=25, deadline=None, database=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("TEXTGEN_DIALECT", "TEXTGEN_STRICT"):
        monkeypatch.delenv(name, raising=False)
    _chosen.cache_clear()
    yield
    _chosen.cache_clear()


def operation(*faults: str, path: str = "/") -> Any:
    app = create_app(Config(faults=faults))
    return schemathesis.openapi.from_wsgi("/openapi.json", app)[path]["POST"]


def accused(case: Any) -> list[str]:
    """The clauses that the check finds violated."""
    try:
        case.call_and_validate(checks=[text_generation_contract])
    except FailureGroup as group:
        return [failure.title for failure in group.exceptions]
    return []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_the_clean_mock_passes_whatever_is_drawn(mode: GenerationMode) -> None:
    @FEW
    @given(operation().as_strategy(generation_mode=mode))
    def judge(case: Any) -> None:
        assert [] == accused(case)

    judge()


@pytest.mark.parametrize(
    ("fault", "clause", "body"),
    [
        ("stream-index-gap", "stream.index.counts", {"inputs": "The sea", "parameters": {"max_new_tokens": 4}, "stream": True}),
        ("details-always", "parameters.details.absent", {"inputs": "The sea", "parameters": {"max_new_tokens": 4}}),
        ("token-special-missing", "details.tokens.type", {"inputs": "The sea", "parameters": {"details": True}}),
    ],
)
def test_a_fault_is_found_with_the_statement_and_what_came(fault: str, clause: str, body: dict[str, Any]) -> None:
    case = operation(fault).Case(body=body, media_type="application/json")
    with pytest.raises(FailureGroup) as raised:
        case.call_and_validate(checks=[text_generation_contract])
    failure = next(failure for failure in raised.value.exceptions if failure.title == clause)

    assert spec.statement(clause).sentence in failure.message
    assert re.search(r"Expected: .+\nActual:   .+", failure.message)


def test_a_wrong_type_that_is_accepted_is_found_and_one_that_is_refused_is_not() -> None:
    body = {"inputs": "The sea", "parameters": {"max_new_tokens": ["many"]}}

    assert [] == accused(operation().Case(body=body, media_type="application/json"))
    assert "parameters.max_new_tokens.type" in accused(
        operation("max-new-tokens-type-unchecked").Case(body=body, media_type="application/json")
    )


def test_what_is_no_request_for_text_is_not_judged() -> None:
    assert [] == accused(operation(path="/tokenize").Case(body={"inputs": "The sea"}, media_type="application/json"))
    assert [] == accused(operation(path="/generate_stream").Case(body={"inputs": "The sea"}, media_type="application/json"))


def test_the_dialect_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTGEN_DIALECT", "tgi")
    body = {"inputs": "The sea", "parameters": {"max_new_tokens": 2}}

    assert "reply.list" in accused(operation().Case(body=body, media_type="application/json"))


def test_a_dialect_that_nobody_knows_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTGEN_DIALECT", "klingon")

    with pytest.raises(UsageError, match="TEXTGEN_DIALECT is `klingon`: known dialects are"):
        _chosen()


def test_the_documented_command_runs_and_finds_a_fault_with_a_curl_line_that_repeats_it(tmp_path: Path) -> None:
    from contract_tests.endpoint import MODEL_PATH, local_fake

    document = DOCUMENT.read_text(encoding="utf-8")
    (tmp_path / "schemathesis.toml").write_text(re.findall(r"```toml\n(.*?)```", document, re.S)[0], encoding="utf-8")
    printed = subprocess.run([sys.executable, "-m", "contract_tests", "openapi"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "openapi.json").write_text(printed, encoding="utf-8")
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "contract_tests.schemathesis_checks", "NO_COLOR": "1"}
    few = ("--include-path", "/", "--phases", "fuzzing", "-n", "30", "--seed", "1", "-c", "text_generation_contract")
    said = {}
    for fault in ([], ["--fault", "details-always"]):
        with local_fake(*fault) as url:
            command = ["schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"]
            done = subprocess.run(
                [sys.executable, "-m", *command, "--url", url.removesuffix(MODEL_PATH), *few],
                capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120, check=False,
            )  # fmt: skip
        said[len(fault)] = (done.returncode, done.stdout + done.stderr)

    assert 0 == said[0][0], said[0][1]
    assert 1 == said[2][0], said[2][1]
    assert "ST901 parameters.details.absent" in said[2][1]
    assert "[Filtered]" not in said[2][1]
