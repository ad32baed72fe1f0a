"""Clauses of `grammar`: what is generated keeps it, as far as it got."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jiter
import jsonschema_rs
import regex

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE
from contract_tests.observation import Observation
from contract_tests.values import MISSING, parse, shorten

UNFINISHED = ("length", MISSING)
"""Reasons at which a text may be cut; without `details` none is told."""


@cache
def _validator(schema: str) -> jsonschema_rs.Validator | None:
    """None where this is no schema, or one that is not understood here."""
    try:
        return jsonschema_rs.validator_for(json.loads(schema))
    except ValueError:
        return None


@clause("parameters.grammar.json.matches")
def json_grammar_is_kept(seen: Observation) -> Outcome:
    value = _grammar_value(seen, "json")
    if value is None:
        return NOT_MINE
    text, schema = seen.new_text or "", value if isinstance(value, str) else json.dumps(value)
    validator = _validator(schema)
    if validator is None:
        return Skip("the schema is not understood here", inconclusive=True)
    if seen.finish_reason in UNFINISHED or seen.asked.stop:
        if wrong := _wrong_beginning(text, schema):
            return Violation(f"the beginning of JSON that satisfies {shorten(schema)}", f"{wrong}: {shorten(text)}")
        return Skip("every generation under a json grammar was cut by its length")
    found = parse(text)
    if found is not MISSING and validator.is_valid(found):
        return None
    return Violation(f"JSON that satisfies {shorten(schema)}", shorten(text))


def _wrong_beginning(text: str, schema: str) -> str:
    """What in a text that was cut no end can mend; "" where there is nothing, or it cannot be known."""
    if '"object"' in schema and text.strip() and not text.lstrip().startswith("{"):
        return "no object"
    relaxed, written = _as_far_as_written(json.loads(schema)), parse(_written(text))
    validator = None if relaxed is None or written is MISSING else _validator(json.dumps(relaxed))
    errors = validator.iter_errors(written) if validator else ()
    return next((shorten(error.message.replace(CUT_HERE, "")) for error in errors), "")


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


@clause("parameters.grammar.regex.matches")
def regex_grammar_is_kept(seen: Observation) -> Outcome:
    value = _grammar_value(seen, "regex")
    if not isinstance(value, str):
        return NOT_MINE
    text, cut = seen.new_text or "", seen.finish_reason in UNFINISHED or bool(seen.asked.stop)
    if regex.fullmatch(value, text, partial=cut):
        return None
    return Violation(f"{'the beginning of ' if cut else ''}text that matches {value}", shorten(text))


def _grammar_value(seen: Observation, kind: str) -> object:
    """`value` of the grammar that a generation was asked to keep; None when there was none."""
    grammar = seen.asked.get("grammar")
    if not (seen.generated and isinstance(grammar, dict) and grammar.get("type") == kind):
        return None
    return grammar.get("value") if seen.finish_reason in (*UNFINISHED, "eos_token", "stop_sequence") else None
