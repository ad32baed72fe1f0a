"""The closed table of dialects, and what each lays over the document and leaves of the ledger."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
import yaml
from openapi_spec_validator import OpenAPIV32SpecValidator

import spec
from spec.dialects import meaning, merge, read, switch_names

OTHERS = [dialect for dialect in spec.DIALECTS if dialect != "documented"]


def accepts(dialect: str, parameters: dict[str, Any]) -> bool:
    schema = spec.schema("GenerateRequest", spec.openapi(dialect))
    return jsonschema_rs.validator_for(schema).is_valid({"inputs": "x", "parameters": parameters})


@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_the_document_of_a_dialect_is_valid(dialect: str) -> None:
    OpenAPIV32SpecValidator(spec.openapi(dialect)).validate()


@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_a_dialect_fills_the_table_and_no_more(dialect: str) -> None:
    row = yaml.safe_load((spec.files("spec.dialects") / f"{dialect}.yaml").read_text(encoding="utf-8"))

    assert [*row["switches"]] == [*switch_names()]
    assert row.keys() <= {"summary", "like", "switches", "openapi"}


def test_every_switch_has_its_sentence() -> None:
    assert [name for name in switch_names() if not meaning(name).endswith(".")] == []


def test_no_switch_is_without_use() -> None:
    rows = [spec.switches(dialect) for dialect in spec.DIALECTS]

    assert [name for name in switch_names() if len({getattr(row, name) for row in rows}) == 1] == []


def test_the_documented_dialect_lays_nothing_over() -> None:
    assert read("documented").patches == ()


@pytest.mark.parametrize("value", [1.0, 0.0])
@pytest.mark.parametrize("dialect", OTHERS)
def test_tgi_takes_no_top_p_of_one(dialect: str, value: float) -> None:
    assert not accepts(dialect, {"top_p": value})


@pytest.mark.parametrize("name", ["do_sample", "stop", "watermark", "details", "decoder_input_details"])
@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_null_is_refused_where_the_router_has_no_option(dialect: str, name: str) -> None:
    assert accepts(dialect, {name: None}) == (dialect == "documented")


@pytest.mark.parametrize("name", ["best_of", "temperature", "seed", "grammar", "adapter_id", "return_full_text"])
@pytest.mark.parametrize("dialect", spec.DIALECTS)
def test_null_is_taken_elsewhere(dialect: str, name: str) -> None:
    assert accepts(dialect, {name: None})


def test_a_third_grammar_is_known_to_tgi() -> None:
    grammar = {"type": "json_schema", "value": {"schema": {"properties": {}}}}

    assert [accepts(dialect, {"grammar": grammar}) for dialect in spec.DIALECTS] == [False, True, True]


@pytest.mark.parametrize("dialect", OTHERS)
def test_the_reply_at_the_root_is_a_list(dialect: str) -> None:
    paths = spec.openapi(dialect)["paths"]
    schemas = {
        path: paths[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path in ("/", "/models/{name}", "/models/{owner}/{name}", "/generate")
    }

    assert set(schemas.values()) == {"GenerateReplyOfRoot", "GenerateReply"}
    assert schemas["/generate"] == "GenerateReply"


def test_a_patch_takes_away_with_null() -> None:
    assert merge({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}, "e": [1]}) == {"b": {"c": 2, "d": 3}, "e": [1]}


def test_a_statement_stands_where_it_holds() -> None:
    def holds(id: str) -> list[str]:
        return [dialect for dialect in spec.DIALECTS if id in {statement.id for statement in spec.statements(dialect)}]

    assert [holds("reply.object"), holds("reply.list"), holds("reply.json")] == [["documented"], OTHERS, [*spec.DIALECTS]]


def test_a_statement_is_found_whatever_its_dialect() -> None:
    assert spec.statement("reply.list").dialects == ("tgi", "hosted")


@pytest.mark.parametrize("function", [spec.openapi, spec.statements, spec.switches])
def test_an_unknown_dialect_is_named(function: Any) -> None:
    with pytest.raises(ValueError, match="unknown dialect 'klingon': known are documented, tgi, hosted"):
        function("klingon")
