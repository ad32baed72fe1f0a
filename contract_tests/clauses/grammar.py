"""Clauses of `grammar`: what is generated keeps it, as far as it got."""

from __future__ import annotations

import json

import regex

from contract_tests.beginnings import validator_of, wrong_beginning
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE
from contract_tests.observation import Observation
from contract_tests.values import MISSING, parse, shorten

UNFINISHED = ("length", MISSING)
"""Reasons at which a text may be cut; without `details` none is told."""


@clause("parameters.grammar.json.matches")
def json_grammar_is_kept(seen: Observation) -> Outcome:
    value = _grammar_value(seen, "json")
    if value is None:
        return NOT_MINE
    text, schema = seen.new_text or "", value if isinstance(value, str) else json.dumps(value)
    validator = validator_of(schema)
    if validator is None:
        return Skip("the schema is not understood here", inconclusive=True)
    if seen.finish_reason in UNFINISHED or seen.asked.stop:
        if wrong := wrong_beginning(text, schema):
            return Violation(f"the beginning of JSON that satisfies {shorten(schema)}", f"{wrong}: {shorten(text)}")
        return Skip("every generation under a json grammar was cut by its length")
    found = parse(text)
    if found is not MISSING and validator.is_valid(found):
        return None
    return Violation(f"JSON that satisfies {shorten(schema)}", shorten(text))


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
