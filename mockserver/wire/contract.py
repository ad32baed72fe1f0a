"""The request half of ``spec/openapi.yaml``, made ready once: the patched document, its compiled schema, and the sentences.

Answers "what is wrong with this value?" in the words that stand beside the bounds. Builds no Request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

import spec
from mockserver.config import RECOMMENDED_MODELS, Config, limited_parameters
from mockserver.wire.strict_json import show

IN_WORDS = {
    "array": "an array of strings",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "null": "null",
    "object": "an object",
    "string": "a string",
}


def patched_document(config: Config) -> dict[str, Any]:
    """The OpenAPI document of this very server: its limits, its models, its own address."""
    document = spec.openapi(config.dialect)
    for field, schema, keyword in limited_parameters(document):
        schema[keyword] = getattr(config, field)
    document["servers"] = [{"url": "/", "description": "This server"}]
    if config.models != RECOMMENDED_MODELS:
        owner, name = document["paths"]["/models/{owner}/{name}"]["post"]["parameters"][:2]
        first, _, rest = config.models[0].partition("/")
        owner["schema"] = {"type": "string", "example": first}
        name["schema"] = {"type": "string", "example": rest or first}
    return document


class Contract:
    """The compiled check of one server. Safe to share between threads."""

    def __init__(self, config: Config) -> None:
        self.document = patched_document(config)
        schema = spec.schema("GenerateRequest", self.document)
        schemas = self.document["components"]["schemas"]
        self._validator = jsonschema_rs.Draft202012Validator(schema)
        self._top: dict[str, Any] = schemas["GenerateRequest"]["properties"]
        self._parameters: dict[str, Any] = schemas["Parameters"]["properties"]
        self._integers = tuple(name for name, row in self._parameters.items() if "integer" in _types(row))
        self.parameters: tuple[str, ...] = tuple(self._parameters)
        self.numbers = frozenset(name for name, row in self._parameters.items() if "number" in _types(row))
        self.switches = spec.switches(config.dialect)
        # the page's order: inputs, each parameter, stream; a dialect may have an order of its own
        self._order = [("inputs",), ("parameters",), *(("parameters", name) for name in self.parameters), ("stream",)]
        first = [("inputs",) if name == "inputs" else ("parameters", name) for name in self.document.get("x-order", ())]
        self._order = [*first, *(place for place in self._order if place not in first)]

    def complaint(self, payload: Any) -> str | None:
        """What is wrong with ``payload``, the first thing in the page's order, or None."""
        found = self.first_complaint(payload)
        return None if found is None else found[1]

    def comes_before(self, after: str, rank: int) -> bool:
        """Whether a rule that is looked at behind the bound of ``after`` ("": before all of them) comes before what has ``rank``."""
        return after == "" or self._order.index(("parameters", after)) < rank

    def first_complaint(self, payload: Any) -> tuple[int, str] | None:
        """The same with its place in the order."""
        wrong = self._fractions(payload)
        if not wrong and self._validator.is_valid(payload):
            return None
        for error in self._validator.iter_errors(payload):
            path, keywords = tuple(error.instance_path), tuple(error.schema_path)
            wrong.append((self._rank(path, keywords), self._sentence(payload, path, keywords)))
        return min(wrong)

    def _fractions(self, payload: Any) -> list[tuple[int, str]]:
        """JSON Schema calls 20.0 an integer; known servers do not, nor do we."""
        parameters = payload.get("parameters") if isinstance(payload, dict) else None
        if not isinstance(parameters, dict):
            return []
        return [
            (self._rank(("parameters", name), ()), _wrong_type(name, self._parameters[name], parameters[name]))
            for name in self._integers
            if isinstance(parameters.get(name), float)
        ]

    def _rank(self, path: tuple[str | int, ...], keywords: tuple[str | int, ...]) -> int:
        if not path:
            return 0 if keywords[-1] == "required" else -1
        return self._order.index(path[:2] if path[0] == "parameters" else path[:1])  # type: ignore[arg-type]

    def _sentence(self, payload: Any, path: tuple[str | int, ...], keywords: tuple[str | int, ...]) -> str:
        if not path:
            return "`inputs` is missing" if keywords[-1] == "required" else f"the body must be an object. Given: {show(payload)}"
        inside = path[0] == "parameters" and len(path) > 1
        name = str(path[1] if inside else path[0])
        row = self._parameters[name] if inside else self._top[name]
        given = payload["parameters"][name] if inside else payload[name]
        if "x-message" in row and keywords[-1] != "type":
            return _fill(row["x-message"], {**row, "given": show(given), "count": len(given) if isinstance(given, list) else 1})
        return _wrong_type(name, row, given)


def _types(row: Mapping[str, Any]) -> list[str]:
    types = row.get("type", "object")
    return [types] if isinstance(types, str) else list(types)


def _wrong_type(name: str, row: Mapping[str, Any], given: Any) -> str:
    return f"`{name}` must be {' or '.join(IN_WORDS[kind] for kind in _types(row))}. Given: {show(given)}"


def _fill(message: str, values: Mapping[str, Any]) -> str:
    """``message`` with each {word} that ``values`` knows filled in; other braces stay, for they are JSON."""
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), message)
