"""Faults in what is accepted: a right request refused, a wrong one taken. What an accepted request means stays right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from mockserver.errors import InternalError, ValidationError
from mockserver.scenario.alter import Json, fault, payload, payload_parameters
from mockserver.scenario.seams import Fault, Hooks

KINDS: dict[str, type] = {
    "adapter_id": str,
    "best_of": int,
    "decoder_input_details": bool,
    "details": bool,
    "do_sample": bool,
    "frequency_penalty": float,
    "grammar": dict,
    "max_new_tokens": int,
    "repetition_penalty": float,
    "return_full_text": bool,
    "seed": int,
    "stop": list,
    "temperature": float,
    "top_k": int,
    "top_n_tokens": int,
    "top_p": float,
    "truncate": int,
    "typical_p": float,
    "watermark": bool,
}
"""What JSON brings for each parameter of the page."""

OUT_OF_BOUNDS: dict[str, Callable[[Any], bool]] = {
    "best_of": lambda value: value < 0,
    "frequency_penalty": lambda value: abs(value) > 2,
    "max_new_tokens": lambda value: value < 0,
    "repetition_penalty": lambda value: value <= 0,
    "seed": lambda value: value < 0,
    "temperature": lambda value: value < 0,
    "top_k": lambda value: value < 0,
    "top_n_tokens": lambda value: value < 0,
    "top_p": lambda value: value < 0 or value > 1,
    "truncate": lambda value: value < 0,
    "typical_p": lambda value: value < 0 or value > 1,
}
"""Where the ledger holds a server to a bound."""


def fits(name: str, value: Any) -> bool:
    """Whether ``value`` is null or of the type that the parameter has."""
    kind = KINDS[name]
    if value is None:
        return True
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if kind is list:
        return isinstance(value, list) and all(isinstance(member, str) for member in value)
    return isinstance(value, kind)


# ---------------------------------------------------------------- one row for each parameter


def _refused(name: str) -> Hooks:
    def change(given: Json) -> Json:
        if given.get(name) and fits(name, given[name]):
            raise ValidationError(f"`{name}` is not supported")
        return given

    return payload_parameters(change)


def _dropped_if(wrong: Callable[[str, Any], bool], name: str) -> Hooks:
    def change(given: Json) -> Json:
        return {key: value for key, value in given.items() if key != name or not wrong(name, value)}

    return payload_parameters(change)


def _unfit(name: str, value: Any) -> bool:
    return not fits(name, value)


def _outside(name: str, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and OUT_OF_BOUNDS[name](value)


def _of_each_parameter() -> Iterator[Fault]:
    for name in KINDS:
        row, dashed = f"parameters.{name}", name.replace("_", "-")
        if name != "adapter_id":  # no adapter is documented, so none need be accepted
            yield fault(f"{dashed}-refused", f"{row}.accepted", f"Answers 422 to any `{name}`.", _refused(name))
        told = f"Accepts a `{name}` of a wrong type, as if it were not there."
        yield fault(f"{dashed}-type-unchecked", f"{row}.type", told, _dropped_if(_unfit, name))
        if name in OUT_OF_BOUNDS:
            told = f"Accepts a `{name}` out of its bounds, as if it were not there."
            yield fault(f"{dashed}-bounds-unchecked", f"{row}.bounds", told, _dropped_if(_outside, name))


# ---------------------------------------------------------------- looks at the body


def _plain_text_only(payload: Json) -> Json:
    if isinstance(payload.get("inputs"), str) and not payload["inputs"].isascii():
        raise ValidationError("`inputs` must be ASCII")
    return payload


def _parameters_required(payload: Json) -> Json:
    if not payload.get("parameters"):
        raise ValidationError("`parameters` is missing")
    return payload


def _bare_refused(payload: Json) -> Json:
    if payload.keys() == {"inputs"}:
        raise ValidationError("`parameters` is missing")
    return payload


def _breaks_on_unknown(given: Json) -> Json:
    if given.keys() - KINDS.keys():
        raise InternalError
    return given


def _inputs_as_text(payload: Json) -> Json:
    return {**payload, "inputs": str(payload["inputs"]) or " "} if "inputs" in payload else payload


def read_leniently(name: str, value: Any) -> Any:
    """``value`` as a reader takes it that knows what the parameter should be: true and "5" as numbers, 1 as true."""
    kind = KINDS.get(name)
    if kind in (int, float) and isinstance(value, bool):
        return kind(value)
    if kind in (int, float) and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return kind(value)
    if kind is bool and (value == "true" or (isinstance(value, int) and not isinstance(value, bool))):
        return bool(value)
    return value


def _null_refused(given: Json) -> Json:
    for name, value in given.items():
        if value is None:
            raise ValidationError(f"`{name}` must not be null")
    return given


LONG_INPUTS = 20_000
"""Characters from which a prompt is a long one."""


def _is_long(payload: Json) -> bool:
    return isinstance(payload.get("inputs"), str) and len(payload["inputs"]) > LONG_INPUTS


def _breaks_on_long(payload: Json) -> Json:
    if _is_long(payload):
        raise InternalError
    return payload


def _long_refused(payload: Json) -> Json:
    if _is_long(payload):
        raise ValidationError("`inputs` is too long")
    return payload


def _grammar_unchecked(wrong: Callable[[Json], bool]) -> Hooks:
    """A grammar object that is ``wrong`` is taken as if it were not there."""
    return _dropped_if(lambda _, value: isinstance(value, dict) and wrong(value), "grammar")


def _means_nothing(grammar: Json) -> bool:
    """Whether the value of a grammar is no expression, or no JSON Schema."""
    kind, value = grammar.get("type"), grammar.get("value")
    try:
        if kind == "regex" and isinstance(value, str):
            re.compile(value)
        elif kind == "json" and isinstance(value, (str, dict)):
            schema = json.loads(value) if isinstance(value, str) else value
            jsonschema_rs.meta.validate(schema)
    except (ValueError, re.error, jsonschema_rs.ValidationError):
        return True
    return False


VALIDATION_FAULTS: tuple[Fault, ...] = (
    fault("example-refused", "introduction.example", "Answers 422 to a body with `inputs` alone.", payload(_bare_refused)),
    fault(
        "parameters-required", "request.parameters.optional", "Answers 422 without `parameters`.", payload(_parameters_required)
    ),
    fault(
        "inputs-missing-accepted",
        "request.inputs.required",
        "Answers a body without `inputs`.",
        payload(lambda p: {"inputs": " ", **p}),
    ),
    fault("inputs-type-unchecked", "request.inputs.type", "Makes a string of whatever `inputs` is.", payload(_inputs_as_text)),
    fault("inputs-ascii-only", "request.inputs.any-text", "Answers 422 to a prompt outside ASCII.", payload(_plain_text_only)),
    fault(
        "parameters-type-unchecked",
        "request.parameters.type",
        "Takes no notice of `parameters` that are no object.",
        payload(lambda p: p if isinstance(p.get("parameters", {}), dict) else {**p, "parameters": {}}),
    ),
    fault(
        "stream-type-unchecked",
        "request.stream.type",
        "Takes a `stream` of a wrong type for false.",
        payload(lambda p: p if isinstance(p.get("stream", False), bool) else {**p, "stream": False}),
    ),
    fault(
        "unknown-parameters-500",
        "request.unknown-parameters",
        "Answers 500 to a parameter that it does not know.",
        payload_parameters(_breaks_on_unknown),
    ),
    fault(
        "types-read-leniently",
        "request.types.strict",
        'Reads true and "5" as numbers, and 1 as true.',
        payload_parameters(lambda given: {name: read_leniently(name, value) for name, value in given.items()}),
    ),
    fault("null-refused", "request.null", "Answers 422 to a parameter that is null.", payload_parameters(_null_refused)),
    fault(
        "long-inputs-500",
        "request.inputs.long",
        "Answers 500 to a prompt that is very long.",
        payload(_breaks_on_long),
    ),
    *_of_each_parameter(),
    fault(
        "grammar-type-unknown-accepted",
        "parameters.grammar.type.required",
        "Takes no notice of a `grammar` without a `type`, or with one that it does not know.",
        _grammar_unchecked(lambda value: value.get("type") not in ("json", "regex")),
    ),
    fault(
        "grammar-invalid-ignored",
        "parameters.grammar.invalid",
        "Takes no notice of a `grammar` that means nothing.",
        _grammar_unchecked(_means_nothing),
    ),
    fault(
        "grammar-value-missing-accepted",
        "parameters.grammar.value.required",
        "Takes no notice of a `grammar` without a `value`.",
        _grammar_unchecked(lambda value: "value" not in value),
    ),
    fault(
        "grammar-value-unchecked",
        "parameters.grammar.value.type",
        "Takes no notice of a `grammar` whose `value` is neither text nor an object.",
        _grammar_unchecked(
            lambda value: (
                "value" in value and not isinstance(value["value"], str if value.get("type") == "regex" else (str, dict))
            )
        ),
    ),
    fault(
        "truncate-after-length",
        "parameters.truncate.long-inputs",
        "Refuses a long prompt before `truncate` is looked at.",
        payload(_long_refused),
    ),
)
