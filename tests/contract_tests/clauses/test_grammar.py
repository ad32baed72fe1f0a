"""What is said of JSON that was cut: a beginning of right JSON is never accused, and one that no end can mend is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract_tests.clauses import CLAUSES, Skip, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Observation

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 4},
        "age": {"type": "integer", "minimum": 10, "maximum": 99},
        "tags": {"type": "array", "items": {"enum": [1, 12]}, "minItems": 2, "maxItems": 3},
        "free": {"type": "object", "properties": {"in": {"type": "integer"}}, "additionalProperties": {"type": "string"}},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


def cut(text: str, schema: Any = PERSON) -> Outcome:
    """What is said of ``text`` as far as it came under a json grammar."""
    grammar = {"type": "json", "value": schema}
    case = Case.of({"inputs": "p", "parameters": {"details": True, "max_new_tokens": 9, "grammar": grammar}})
    body = json.dumps({"generated_text": text, "details": {"finish_reason": "length", "tokens": []}}).encode()
    exchange = Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, body),))
    return judge(CLAUSES["parameters.grammar.json.matches"], Observation(exchange))


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"Anna","age":12,"tags":[12,1,1],"free":{"in":5,"zz":"x\\"y\\u00e9"}}',
        '{ "age" : 99 , "free" : {} , "tags":[1, 12 ] ,\n "na\\u006de" : "\\ud83d\\ude00 \\ud83d\\\\" }',
    ],
)
def test_no_beginning_of_right_json_is_accused(text: str) -> None:
    assert [] == [text[:end] for end in range(len(text)) if not isinstance(cut(text[:end]), Skip)]


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "Anna is",
        '{"nx',
        '{"name of',
        '{"name":"Ann",',
        '{"age":"12",',
        '{"age":1,',
        '{"age":12.5,',
        '{"tags":[1,2,',
        '{"tags":[1,1,1,1,',
        '{"free":{"zz":1,',
        '{"free":{"in":"a"',
    ],
)
def test_a_beginning_that_no_end_can_mend_is_found(text: str) -> None:
    assert isinstance(cut(text), Violation)


@pytest.mark.parametrize("schema", [{"anyOf": [{"type": "integer"}]}, {"properties": {"a": {"enum": [[1, 2]]}}}, {"$ref": "#/x"}], ids=str)
def test_a_schema_that_says_more_about_the_whole_is_not_judged_before_its_end(schema: dict[str, Any]) -> None:
    assert isinstance(cut('{"a":[1,', schema), Skip)


SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8
)


def schema_of(value: Any) -> dict[str, Any]:
    """A schema that allows hardly anything but ``value``."""
    if isinstance(value, dict):
        members = {name: schema_of(member) for name, member in value.items()}
        return {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}
    if isinstance(value, list):
        items = {"items": schema_of(value[0])} if len(value) == 1 else {}
        return {"type": "array", "minItems": len(value), "maxItems": len(value)} | items
    return {"const": value}


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3), st.booleans(), st.sampled_from([(",", ":"), (", ", " : ")]))
def test_whatever_the_json_no_beginning_is_accused(value: Any, escaped: bool, between: tuple[str, str]) -> None:
    text = json.dumps(value, ensure_ascii=escaped, separators=between)

    assert [] == [text[:end] for end in range(len(text)) if isinstance(cut(text[:end], schema_of(value)), Violation)]


@pytest.mark.parametrize("schema", ["no JSON", '{"pattern": "("}', "[1]"])
def test_a_schema_that_is_none_accuses_nobody(schema: str) -> None:
    assert isinstance(cut('{"a":1,', schema), Skip)
