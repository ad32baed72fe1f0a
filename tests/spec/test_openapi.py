"""The OpenAPI document says what the page says, and is a valid document."""

from __future__ import annotations

import re
from importlib.resources import files

import jsonschema_rs
import pytest
import schemathesis
from openapi_spec_validator import OpenAPIV32SpecValidator

import spec

# The page's tables, row by row: name, type as the page writes it, starred.
PARAMETERS = {
    "adapter_id": "string",
    "best_of": "integer",
    "decoder_input_details": "boolean",
    "details": "boolean",
    "do_sample": "boolean",
    "frequency_penalty": "number",
    "grammar": "unknown",
    "max_new_tokens": "integer",
    "repetition_penalty": "number",
    "return_full_text": "boolean",
    "seed": "integer",
    "stop": "string[]",
    "temperature": "number",
    "top_k": "integer",
    "top_n_tokens": "integer",
    "top_p": "number",
    "truncate": "integer",
    "typical_p": "number",
    "watermark": "boolean",
}
DETAILS = {"finish_reason", "generated_tokens", "prefill", "seed", "tokens", "top_tokens"}
SCHEMAS = spec.openapi()["components"]["schemas"]


def fields(name: str) -> set[str]:
    return set(SCHEMAS[name]["properties"])


def valid(schema: str, value: object) -> bool:
    return jsonschema_rs.validator_for(spec.schema(schema)).is_valid(value)


def test_the_document_is_valid_openapi_3_2() -> None:
    document = spec.openapi()

    assert document["openapi"].startswith("3.2.")
    OpenAPIV32SpecValidator(document).validate()


def test_schemathesis_reads_every_operation() -> None:
    operations = [result.ok() for result in schemathesis.openapi.from_dict(spec.openapi()).get_all_operations()]

    assert len(operations) == 11


def test_the_parameters_are_the_pages_in_its_order() -> None:
    assert list(PARAMETERS) == list(SCHEMAS["Parameters"]["properties"])


@pytest.mark.parametrize(("name", "kind"), PARAMETERS.items())
def test_a_parameter_has_the_pages_type_or_null(name: str, kind: str) -> None:
    schema = SCHEMAS["Parameters"]["properties"][name]
    if name == "grammar":
        assert len(schema["oneOf"]) == 3
    elif kind == "string[]":
        assert (schema["type"], schema["items"]["type"]) == (["array", "null"], "string")
    else:
        assert schema["type"] == [kind, "null"]


def test_only_the_starred_fields_of_the_request_are_required() -> None:
    assert SCHEMAS["GenerateRequest"]["required"] == ["inputs"]
    assert "required" not in SCHEMAS["Parameters"]
    assert SCHEMAS["JsonGrammar"]["required"] == ["type", "value"]
    assert SCHEMAS["RegexGrammar"]["required"] == ["type", "value"]


def test_the_reply_has_the_pages_fields() -> None:
    assert fields("GenerateReply") == {"details", "generated_text"}
    assert fields("Details") == DETAILS | {"best_of_sequences"}
    assert fields("BestOfSequence") == DETAILS | {"generated_text"}
    assert fields("PrefillToken") == {"id", "logprob", "text"}
    assert fields("Token") == {"id", "logprob", "special", "text"}


def test_the_stream_event_has_the_pages_fields() -> None:
    assert fields("StreamEvent") == {"details", "generated_text", "index", "token", "top_tokens"}
    assert fields("StreamDetails") == {"finish_reason", "generated_tokens", "input_length", "seed"}


def test_top_tokens_nest_without_stream_and_are_flat_in_an_event() -> None:
    token = {"id": 1, "logprob": -0.5, "special": False, "text": "a"}
    details = {"finish_reason": "length", "generated_tokens": 1, "prefill": [], "tokens": [token]}

    assert valid("Details", {**details, "top_tokens": [[token]]})
    assert not valid("Details", {**details, "top_tokens": [token]})
    assert valid("StreamEvent", {"index": 1, "token": token, "top_tokens": [token]})
    assert not valid("StreamEvent", {"index": 1, "token": token, "top_tokens": [[token]]})


def test_finish_reason_has_the_pages_three_values() -> None:
    assert SCHEMAS["FinishReason"]["enum"] == ["length", "eos_token", "stop_sequence"]


def test_the_three_headers_are_documented() -> None:
    components = spec.openapi()["components"]
    named = {parameter["name"]: parameter["schema"]["default"] for parameter in components["parameters"].values()}

    assert named == {"x-use-cache": True, "x-wait-for-model": False}
    assert components["securitySchemes"]["Authorization"]["scheme"] == "bearer"


def test_each_bound_stands_beside_the_sentence_that_tells_it() -> None:
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxItems", "minLength"}
    rows = SCHEMAS["Parameters"]["properties"] | {"inputs": SCHEMAS["GenerateRequest"]["properties"]["inputs"]}

    untold = [name for name, schema in rows.items() if bounds & schema.keys() and f"`{name}`" not in schema.get("x-message", "")]
    assert untold == []


def test_every_neutral_value_is_allowed() -> None:
    rows = {name: row["x-neutral"] for name, row in SCHEMAS["Parameters"]["properties"].items() if "x-neutral" in row}

    assert valid("GenerateRequest", {"inputs": "x", "parameters": rows})


def test_null_is_allowed_for_every_parameter() -> None:
    assert valid("GenerateRequest", {"inputs": "x", "parameters": dict.fromkeys(PARAMETERS)})


def test_openapi_gives_a_copy_that_may_be_changed() -> None:
    spec.openapi()["components"].clear()

    assert spec.openapi()["components"]


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(ValueError, match="unknown dialect 'klingon': known are documented"):
        spec.openapi("klingon")


def test_an_unknown_schema_is_named() -> None:
    with pytest.raises(KeyError, match="no schema `Nothing`"):
        spec.schema("Nothing")


def test_bounds_stand_nowhere_else() -> None:
    """Messages in the towers must not repeat the sentences that stand beside the bounds."""
    sentences = {row["x-message"].split(".")[0] for row in SCHEMAS["Parameters"]["properties"].values() if "x-message" in row}
    for package in ("mockserver", "contract_tests"):
        for source in sorted(files(package).rglob("*.py")):  # type: ignore[attr-defined]  # a real folder here
            text = re.sub(r"\s+", " ", source.read_text(encoding="utf-8"))
            assert not [sentence for sentence in sentences if sentence in text], source
