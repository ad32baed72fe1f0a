"""The suite against the mock: each fault fires the clause of the statement it breaks, and the clean mock fires none.

``follows.toml`` names what else fails as a consequence, fault by fault; a clause that is neither is a wrong accusation.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

import spec
from mockserver import Config, create_app
from mockserver.scenario.dialect_faults import DIALECT_FAULTS
from mockserver.scenario.faults import FAULTS, faults_of_dialect, faults_that_break
from mockserver.scenario.seams import Fault

Check = Callable[..., dict[str, Any]]

FOLLOWS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("follows.toml").read_text(encoding="utf-8"))
"""Name of a fault, or a pattern of names, -> what fails besides."""


def follows(name: str) -> list[str]:
    """What else fails under the fault called ``name``."""
    return sorted({id for pattern, ids in FOLLOWS.items() if fnmatchcase(name, pattern) for id in ids})


TESTABLE = [statement.id for statement in spec.statements() if statement.testable]
OF_DIALECTS = [(dialect, fault) for dialect in spec.DIALECTS[1:] for fault in faults_of_dialect(dialect)]


def failed(result: dict[str, Any]) -> dict[str, str]:
    """id -> what the first violation says, of every violated clause; a broken suite counts as well."""
    told = {clause["id"]: clause for clause in result["clauses"] if clause["verdict"] in ("fail", "error")}
    return {id: clause["reason"] or str(clause["violations"][0]) for id, clause in told.items()}


SEEDS = range(int(os.environ.get("TEXTGEN_SEEDS", "10")))
FAULT_SEEDS = range(1, 1 + int(os.environ.get("TEXTGEN_FAULT_SEEDS", "1")))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_clean_mock_violates_nothing(check_mock: Check, seed: int) -> None:
    assert {} == failed(check_mock(seed=seed))


@pytest.mark.parametrize("seed", SEEDS if "TEXTGEN_SEEDS" in os.environ else SEEDS[:2])
@pytest.mark.parametrize("dialect", spec.DIALECTS[1:])
def test_the_clean_mock_of_another_dialect_violates_nothing(check_wsgi: Check, dialect: str, seed: int) -> None:
    assert {} == failed(check_wsgi(create_app(Config(dialect=dialect)), dialect=dialect, seed=seed))


@pytest.mark.parametrize("seed", FAULT_SEEDS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fires_the_clause_of_its_statement(check_mock: Check, fault: Any, seed: int) -> None:
    token = "hf_right" if fault.statement == "headers.authorization.wrong" else ""  # without one no token can be wrong
    result = check_mock(fault.name, seed=seed, token=token)
    found = failed(result)

    assert fault.statement in found
    assert result["summary"]["verdict"] == "fail" or fault in faults_that_break("should")
    assert [] == sorted(found.keys() - {fault.statement} - set(follows(fault.name)))


@pytest.mark.parametrize("seed", FAULT_SEEDS)
@pytest.mark.parametrize(("dialect", "fault"), OF_DIALECTS, ids=lambda value: getattr(value, "name", value))
def test_a_fault_of_a_dialect_fires_the_clause_of_its_statement(check_wsgi: Check, dialect: str, fault: Any, seed: int) -> None:
    result = check_wsgi(create_app(Config(dialect=dialect, faults=(fault.name,))), dialect=dialect, seed=seed)
    found = failed(result)

    assert fault.statement in found
    assert "fail" == result["summary"]["verdict"]
    assert [] == sorted(found.keys() - {fault.statement} - set(follows(fault.name)))


def test_every_statement_that_holds_in_some_dialects_only_has_a_fault() -> None:
    elsewhere = [statement.id for statement in spec.ledger() if spec.DIALECTS[0] not in statement.dialects]

    assert set(elsewhere) == {fault.statement for fault in DIALECT_FAULTS}


def test_there_are_at_least_twelve_faults_of_statements_in_the_ledger() -> None:
    assert len(FAULTS) >= 12
    assert [] == [fault.name for fault in FAULTS if fault.statement not in TESTABLE]


def test_what_follows_names_faults_and_clauses() -> None:
    assert [] == [pattern for pattern in FOLLOWS if not any(fnmatchcase(fault.name, pattern) for fault in (*FAULTS, *DIALECT_FAULTS))]
    assert {id for ids in FOLLOWS.values() for id in ids} <= {statement.id for statement in spec.ledger() if statement.testable}


# ---------------------------------------------------------------- the table, for people
TABLE = Path(__file__).parent.parent / "docs" / "faults.md"


HEADINGS = {
    "must": "`textgen-contract check` ends with exit code 1 (`textgen-mock faults`)",
    "should": "`textgen-contract check` warns, and ends with 1 when told `--strict` (`textgen-mock faults --should`)",
}


OF_DIALECTS_HEADING = "What holds in the dialects `tgi` and `hosted` only (`textgen-mock faults --dialect D`)"


def rows(faults: Iterable[Fault]) -> Iterator[str]:
    yield from ("| fault | what the server does | found by | follows |", "|---|---|---|---|")
    for fault in faults:
        consequences = ", ".join(f"`{id}`" for id in follows(fault.name))
        yield f"| `{fault.name}` | {fault.sentence} | `{fault.statement}` | {consequences} |"


def table() -> str:
    """The faults with the clause that finds each, and what else fails as a consequence."""
    lines = [
        "# Faults and the clauses that find them",
        "",
        "`textgen-mock serve --fault NAME` breaks the contract in one of these ways.",
        "Each is found by the clause of the statement that it breaks; the last column names what else fails as a consequence.",
        "The tests hold the suite to this table; `python tests/test_faults.py` writes it anew.",
    ]
    for level, heading in HEADINGS.items():
        lines += ["", f"## {heading}", "", *rows(faults_that_break(level))]
    lines += ["", f"## {OF_DIALECTS_HEADING}", "", *rows(DIALECT_FAULTS)]
    return "\n".join(lines) + "\n"


def test_the_table_in_the_documents_is_this_one() -> None:
    assert table() == TABLE.read_text(encoding="utf-8")


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(), encoding="utf-8")
