"""The numbers of a JSON Schema, said so that llguidance keeps them: narrower, never wider than what was asked.

Two things it does otherwise. It writes exponents of any length (``1e8484499``), which readers of JSON make infinite; and it takes an
exclusive bound that is a whole number for an inclusive one where the range is short. Knows no grammar and compiles nothing.
"""

from __future__ import annotations

from typing import Any

LARGEST = 1e15
"""A number without bounds stays within this, and is written without an exponent."""

STEP = 1e-6
"""How far inside an exclusive bound a number stays, or a thousandth of the range where that is less."""

_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "properties", "patternProperties")
_SINGLE = ("items", "additionalProperties", "unevaluatedProperties", "contains", "not", "if", "then", "else")


def narrow_numbers(schema: Any) -> Any:
    """``schema`` with inclusive bounds for its numbers, in it and in every schema inside it.

    >>> narrow_numbers({"items": {"type": "number", "exclusiveMinimum": 0, "maximum": 5}})
    {'items': {'type': 'number', 'maximum': 5, 'minimum': 1e-06}}
    >>> narrow_numbers({"properties": {"type": {"type": "number"}}})
    {'properties': {'type': {'type': 'number', 'minimum': -1000000000000000.0, 'maximum': 1000000000000000.0}}}
    """
    if not isinstance(schema, dict):
        return schema
    narrowed = {key: _within(key, value) for key, value in schema.items()}
    types = schema.get("type", ())
    if "number" in ((types,) if isinstance(types, str) else types) and not {"const", "enum"} & schema.keys():
        _bound(narrowed)
    return narrowed


def _within(key: str, value: Any) -> Any:
    if key in _LISTS and isinstance(value, list):
        return [narrow_numbers(part) for part in value]
    if key in _NAMED and isinstance(value, dict):
        return {name: narrow_numbers(part) for name, part in value.items()}
    return narrow_numbers(value) if key in _SINGLE else value


def _bound(schema: dict[str, Any]) -> None:
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    if not lows and not highs:
        schema |= {"minimum": -LARGEST, "maximum": LARGEST}
        return
    width = min(highs) - max(lows) if lows and highs else LARGEST
    if width <= 0:
        return  # one number or none: the library says so
    step = min(STEP, width / 1000)
    if "exclusiveMinimum" in schema:
        schema["minimum"] = max(schema.pop("exclusiveMinimum") + step, *lows)
    if "exclusiveMaximum" in schema:
        schema["maximum"] = min(schema.pop("exclusiveMaximum") - step, *highs)
