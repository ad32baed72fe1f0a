"""The shape of a request as the router of text-generation-inference reads it: strict types, told in its JSON reader's words.

The reader goes through the text in order and stops at the first value that does not fit; line and column say where it stood.
Source: serde 1.0 and serde_json 1.0.140 as axum 0.7.9 calls them; recorded hosted replies (three sentences). Knows no bounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mockserver.errors import BadJsonError, ValidationError
from mockserver.wire.strict_json import is_too_deep, parse_json

DOES_NOT_FIT = "Failed to deserialize the JSON body into the target type: "
NO_JSON = "Failed to parse the request body as JSON: "

INTEGERS = {"usize": (0, 2**64 - 1), "u32": (0, 2**32 - 1), "u64": (0, 2**64 - 1), "i32": (-(2**31), 2**31 - 1)}
EXPECTED = {"bool": "a boolean", "string": "a string", "sequence": "a sequence"}
GRAMMARS = ("json", "json_object", "regex", "json_schema")

PYTHON_SAYS = (
    ("Expecting value", "expected value"),
    ("Expecting property name", "key must be a string"),
    ("Illegal trailing comma", "trailing comma"),
    ("Expecting ':'", "expected `:`"),
    ("Expecting ','", "expected `,` or `}`"),
    ("Unterminated string", "EOF while parsing a string"),
    ("Invalid control character", "control character (\\u0000-\\u001F) found while parsing a string"),
    ("Invalid \\", "invalid escape"),
)
"""How Python's JSON reader begins a sentence, and what the router's says of the same."""

_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 24 else float(digits))


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, and where its value begins and ends in the text."""

    name: str
    value: Any
    begin: int
    end: int


def read_as_router(body: bytes, document: Mapping[str, Any]) -> Any:
    """The value that ``body`` begins with, whatever follows it. Raises BadJsonError, or ValidationError for other types."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return parse_json(body)  # which says where
    if is_too_deep(text):
        return parse_json(body)  # which says so
    try:
        _, end = _DECODER.raw_decode(text, _skip(text, 0))
    except json.JSONDecodeError as error:
        raise BadJsonError(tell_syntax(error)) from None
    text = text[:end]
    try:
        payload = parse_json(text.encode())
    except ValidationError as error:  # a key written twice, or a number that nothing holds
        doubled = misfit(text, document)
        if doubled is not None:
            raise ValidationError(doubled, plain=doubled) from None
        raise BadJsonError(f"{NO_JSON}{error.sentence}") from None
    told = misfit(text, document)
    if told is not None:
        raise ValidationError(told, plain=told)
    return payload


def misfit(text: str, document: Mapping[str, Any]) -> str | None:
    """What the router says of a JSON ``text`` that is no request by its types; None when it is one."""
    schemas = document["components"]["schemas"]
    begin = _skip(text, 0)
    value, end = _DECODER.raw_decode(text, begin)
    if not isinstance(value, dict):
        stood = begin if isinstance(value, list) else end
        return _tell("", f"invalid type: {_found(value)}, expected struct CompatGenerateRequest", text, stood)
    seen: set[str] = set()
    for member in _members(text, begin):
        row = schemas["GenerateRequest"]["properties"].get(member.name)
        if row is None:
            continue
        if member.name in seen:
            return _tell("", f"duplicate field `{member.name}`", text, member.begin)
        seen.add(member.name)
        told = _parameters(text, member, schemas) if member.name == "parameters" else _scalar(member, row, member.name, text)
        if told is not None:
            return told
    return None if "inputs" in seen else _tell("", "missing field `inputs`", text, end)


def tell_syntax(error: json.JSONDecodeError) -> str:
    """What the router says of text that is no JSON."""
    if error.pos >= len(error.doc.rstrip()):
        what = "EOF while parsing a value" if not error.doc.strip() or "value" in error.msg else "EOF while parsing an object"
    else:
        what = next((words for begin, words in PYTHON_SAYS if error.msg.startswith(begin)), error.msg)
    return f"{NO_JSON}{what} at line {error.lineno} column {error.colno if error.doc else 0}"


def _parameters(text: str, member: Member, schemas: Mapping[str, Any]) -> str | None:
    if not isinstance(member.value, dict):
        stood = member.begin if isinstance(member.value, list) else member.end
        return _tell("parameters", f"invalid type: {_found(member.value)}, expected struct GenerateParameters", text, stood)
    seen: set[str] = set()
    for inner in _members(text, member.begin):
        row = schemas["Parameters"]["properties"].get(inner.name)
        if row is None:
            continue
        path = f"parameters.{inner.name}"
        if inner.name in seen:
            return _tell("parameters", f"duplicate field `{inner.name}`", text, inner.begin)
        seen.add(inner.name)
        told = _scalar(inner, row, path, text)
        if told is not None:
            return told
    return None


def _scalar(member: Member, row: Mapping[str, Any], path: str, text: str) -> str | None:
    value, kind = member.value, row["x-serde"]
    if value is None and (kind == "grammar" or "null" in row.get("type", ())):
        return None
    what = _misfit_of(value, kind)
    if what is None:
        return None
    stood = member.begin if isinstance(value, (dict, list)) and kind not in ("grammar", "sequence") else member.end
    if kind == "sequence" and isinstance(value, list):
        path += f"[{next(place for place, item in enumerate(value) if not isinstance(item, str))}]"
    return _tell(path, what, text, stood)


def _misfit_of(value: Any, kind: str) -> str | None:
    """What is wrong with one value of a Rust type; None for nothing."""
    if kind == "grammar":
        return _misfit_of_grammar(value)
    if kind in INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"invalid type: {_found(value)}, expected {kind}"
        low, high = INTEGERS[kind]
        return None if low <= value <= high else f"invalid value: {_found(value)}, expected {kind}"
    if kind == "f32":
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if fits else f"invalid type: {_found(value)}, expected f32"
    fits = isinstance(value, {"bool": bool, "string": str, "sequence": list}[kind])
    if fits and kind == "sequence":
        wrong = [item for item in value if not isinstance(item, str)]
        return f"invalid type: {_found(wrong[0])}, expected a string" if wrong else None
    return None if fits else f"invalid type: {_found(value)}, expected {EXPECTED[kind]}"


def _misfit_of_grammar(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"invalid type: {_found(value)}, expected adjacently tagged enum GrammarType"
    for name in ("type", "value"):
        if name not in value:
            return f"missing field `{name}`"
    kind = value["type"]
    if kind not in GRAMMARS:
        shown = kind if isinstance(kind, str) else _found(kind)
        return f"unknown variant `{shown}`, expected one of {', '.join(f'`{name}`' for name in GRAMMARS)}"
    if kind == "regex" and not isinstance(value["value"], str):
        return f"invalid type: {_found(value['value'])}, expected a string"
    return None


def _found(value: Any) -> str:
    """``value`` as serde names what it did not expect."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case str():
            return f"string {json.dumps(value, ensure_ascii=False)}"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value!r}`"
        case list():
            return "sequence"
        case _:
            return "map"


def _tell(path: str, what: str, text: str, stood: int) -> str:
    before = text[:stood]
    column = len(before[before.rfind("\n") + 1 :].encode())
    return f"{DOES_NOT_FIT}{f'{path}: ' if path else ''}{what} at line {before.count(chr(10)) + 1} column {column}"


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _members(text: str, at: int) -> Iterator[Member]:
    """The members of the object that begins at ``at``, in order, those written twice too. ``text`` is JSON."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        value, end = _DECODER.raw_decode(text, begin)
        yield Member(name, value, begin, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
