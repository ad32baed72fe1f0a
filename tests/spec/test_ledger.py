"""The ledger is complete, well-formed, and what the suite and the mock refer to."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import jsonschema_rs
import pytest

import spec
from contract_tests.clauses import CLAUSES

LEDGER_SCHEMA = {
    "type": "object",
    "required": ["statement"],
    "additionalProperties": False,
    "properties": {
        "statement": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "section", "sentence", "level", "basis", "source"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "pattern": "^[a-z]+(\\.[a-z0-9_-]+)+$"},
                    "section": {"type": "string", "pattern": "^[a-z]+$"},
                    "sentence": {"type": "string", "pattern": "\\.$", "minLength": 10},
                    "level": {"enum": list(spec.LEVELS)},
                    "basis": {"enum": list(spec.BASES)},
                    "source": {"type": "string", "minLength": 5},
                    "dialects": {"type": "array", "items": {"enum": list(spec.DIALECTS)}},
                    "testable": {"const": False},
                    "reason": {"type": "string", "minLength": 10},
                    "conflict": {"type": "string", "minLength": 10},
                },
                "dependentRequired": {"testable": ["reason"], "reason": ["testable"]},
            },
        }
    },
}

# Every name in the page's tables.
ROWS = (
    *("inputs", "parameters", "stream", "authorization", "x-use-cache", "x-wait-for-model"),
    *("adapter_id", "best_of", "decoder_input_details", "details", "do_sample", "frequency_penalty", "grammar", "max_new_tokens"),
    *("repetition_penalty", "return_full_text", "seed", "stop", "temperature", "top_k", "top_n_tokens", "top_p", "truncate"),
    *("typical_p", "watermark", "best_of_sequences", "finish_reason", "generated_text", "generated_tokens", "prefill", "tokens"),
    *("top_tokens", "index", "token", "input_length"),
)


def test_the_ledger_satisfies_its_schema() -> None:
    ledger = tomllib.loads(files("spec").joinpath("statements.toml").read_text(encoding="utf-8"))

    jsonschema_rs.validate(LEDGER_SCHEMA, ledger)


def test_ids_are_unique() -> None:
    ids = [statement.id for statement in spec.statements()]

    assert len(ids) == len(set(ids))


def test_a_statement_stands_in_the_section_that_its_id_names() -> None:
    assert [statement.id for statement in spec.statements() if not statement.id.startswith(f"{statement.section}.")] == []


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_page_is_a_statement(name: str) -> None:
    assert [statement for statement in spec.statements() if name in statement.source or f"`{name}`" in statement.sentence]


@pytest.mark.parametrize("name", spec.openapi()["components"]["schemas"]["Parameters"]["properties"])
def test_every_parameter_has_its_type_checked(name: str) -> None:
    assert f"parameters.{name}.type" in CLAUSES


def test_every_clause_is_bound_to_a_testable_statement() -> None:
    assert [id for id, clause in CLAUSES.items() if not clause.statement.testable] == []


def test_every_testable_statement_has_a_clause() -> None:
    assert set() == {statement.id for statement in spec.statements() if statement.testable} - CLAUSES.keys()


def test_where_the_page_contradicts_known_servers_the_ledger_says_so() -> None:
    assert "0.0" in spec.statement("parameters.frequency_penalty.neutral").conflict


def test_an_unknown_statement_is_named() -> None:
    with pytest.raises(KeyError, match=r"no statement `no\.such`"):
        spec.statement("no.such")
