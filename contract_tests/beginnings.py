"""JSON that was cut: what is wrong with a beginning of it, whatever would have followed. Knows no request and no reply."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jiter
import jsonschema_rs

from contract_tests.values import MISSING, parse, shorten


@cache
def validator_of(schema: str) -> jsonschema_rs.Validator | None:
    """None where this is no schema, or one that is not understood here."""
    try:
        return jsonschema_rs.validator_for(json.loads(schema))
    except ValueError:
        return None


def wrong_beginning(text: str, schema: str) -> str:
    """What in ``text`` no end can mend; "" where there is nothing, or it cannot be known. ``schema`` is one that is understood.

    >>> person = '{"type": "object", "properties": {"age": {"maximum": 99}}, "additionalProperties": false}'
    >>> wrong_beginning('{"age": 100', person), wrong_beginning('{"age": 100, ', person)
    ('', '100 is greater than the maximum of 99')
    """
    if '"object"' in schema and text.strip() and not text.lstrip().startswith("{"):
        return "no object"
    validator, written = _validator_of_beginnings(schema), parse(_written(text))
    if validator is None or written is MISSING:
        return ""
    return next((shorten(error.message.replace(CUT_HERE, "")) for error in validator.iter_errors(written)), "")


@cache
def _validator_of_beginnings(schema: str) -> jsonschema_rs.Validator | None:
    relaxed = _as_far_as_written(json.loads(schema))
    return None if relaxed is None else validator_of(json.dumps(relaxed))


CUT_HERE = "\ue000"
"""Ends the name of a member that was cut: of Unicode's private letters, which no schema and no model writes."""


def _written(text: str) -> str:
    """The JSON of what is whole in the beginning of JSON, and of the name at its end that is not; "" where it is no beginning."""
    named = _beginning(f'{text}{CUT_HERE}":0,')
    return named if f'{CUT_HERE}": 0' in named else _beginning(text.rstrip("0123456789+-.eE"))  # a number at the end may go on


def _beginning(text: str) -> str:
    """The JSON of what is whole in ``text``; "" where it is no beginning of JSON, or holds a number that no float does."""
    try:
        return json.dumps(jiter.from_json(text.encode(), partial_mode="on", allow_inf_nan=False), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return ""


SEEN_EARLY = {
    *("type", "enum", "const", "items", "properties", "additionalProperties", "maxItems"),
    *("pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that a beginning violates only where every end does, as no string and no number is read before it is whole."""

SEEN_LATE = {"required", "minItems", "minProperties", "title", "description", "default", "examples", "$schema"}
"""Keywords that a beginning may violate, or that say nothing."""


def _as_far_as_written(schema: Any) -> Any:
    """``schema`` for the beginning of a value; None where that cannot be judged by what of it is whole."""
    if isinstance(schema, bool):
        return schema
    listed = [*schema.get("enum", ()), schema.get("const")]
    if not SEEN_EARLY | SEEN_LATE >= schema.keys() or any(isinstance(value, list | dict) for value in listed):
        return None
    inner = {name: _as_far_as_written(schema[name]) for name in ("items", "additionalProperties") if name in schema}
    members = {name: _as_far_as_written(member) for name, member in schema.get("properties", {}).items()}
    if None in (*inner.values(), *members.values()):
        return None
    if schema.get("additionalProperties") is False:
        members |= {name[:length] + CUT_HERE: True for name in list(members) for length in range(len(name) + 1)}
    else:
        inner["patternProperties"] = {f"{CUT_HERE}$": True}
    return {name: value for name, value in schema.items() if name in SEEN_EARLY} | inner | {"properties": members}
