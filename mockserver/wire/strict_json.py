"""JSON text to values, strictly, and values to JSON text that is plain ASCII. Knows no field of the API.

The standard library's decoder is used because it is the only one at hand that shows every pair of an object, and so a key
written twice; a request is small, and the decoder itself is C. The grammar is RFC 8259, and the stricter side of its choices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mockserver.errors import BadJsonError, ValidationError

DEEPEST = 128  # text-generation-inference's JSON reader has the same bound
LONGEST_SHOWN = 100
INTEGERS = range(-(2**63), 2**64)

Path = tuple[str | int, ...]

_NUMBER_TOO_WIDE = 24  # characters no 64-bit integer needs
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


def parse_json(body: bytes) -> Any:
    """The value that ``body`` holds. Raises BadJsonError, or ValidationError where it is JSON that no value here can hold."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"{_FAILED}it is not UTF-8: byte 0x{body[error.start]:02x} at position {error.start}") from None
    if text.startswith("\ufeff"):
        raise BadJsonError(f"{_FAILED}it begins with a byte order mark, which JSON must not have (RFC 8259, section 8.1)")
    if is_too_deep(text):
        raise BadJsonError(f"{_FAILED}it is nested more than {DEEPEST} deep")
    try:
        value = _decode(text, _DECODER)
    except _UnfitNumberError:
        raise _name_unfit_number(text) from None
    if _ESCAPED_SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _decode(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg if text.strip() else "it is empty"
        raise BadJsonError(f"{_FAILED}{what} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise BadJsonError(f"{_FAILED}it is nested too deep") from None


_FAILED = "Failed to parse the request body as JSON: "


def name_of(path: Path) -> str:
    """The name a client knows a place by: ``("parameters", "stop", 0)`` is ``stop[0]``."""
    steps = path[1:] if len(path) > 1 and path[0] == "parameters" else path
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def show(value: Any) -> str:
    """``value`` as a client wrote it, or nearly: JSON in ASCII, cut when long."""
    text = value if isinstance(value, _Unfit) else json.dumps(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def quoted(name: str) -> str:
    """``name`` in backquotes, with JSON's escapes, cut when long: safe to show whatever a client called it."""
    text = json.dumps(name)[1:-1]
    return f"`{text if len(text) <= LONGEST_SHOWN else f'{text[: LONGEST_SHOWN - 3]}...'}`"


def write_json(value: Any) -> str:
    """Compact JSON in ASCII, so that no character a client might take for the end of a line ever stands in it."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


# ---------------------------------------------------------------- the decoder's hooks


class _UnfitNumberError(Exception):
    """A number that no 64-bit integer or finite double holds."""


class _Unfit(str):
    """Such a number as it was written, standing in its place while its name is sought."""


def _parse_int(text: str) -> int:
    if len(text) < _NUMBER_TOO_WIDE and (number := int(text)) in INTEGERS:
        return number
    raise _UnfitNumberError


def _parse_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _UnfitNumberError
    return number


def _parse_constant(name: str) -> Any:
    raise BadJsonError(f"{_FAILED}{name} is not a JSON value")


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValidationError(f"{quoted(twice)} is given more than once")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_parse_object, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant
)


# ---------------------------------------------------------------- naming the place of what was refused


def _name_unfit_number(text: str) -> ValidationError:
    """Read on behind the number: what else is wrong, and makes it no JSON, is told first. Raises BadJsonError, ValidationError."""

    def marked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
        def parse_or_mark(number: str) -> Any:
            try:
                return parse(number)
            except _UnfitNumberError:
                return _Unfit(number)

        return parse_or_mark

    value = _decode(
        text,
        json.JSONDecoder(
            object_pairs_hook=_parse_object,
            parse_int=marked(_parse_int),
            parse_float=marked(_parse_float),
            parse_constant=_parse_constant,
        ),
    )
    path = _find(value, lambda part: isinstance(part, _Unfit))
    assert path is not None
    for step in path:
        value = value[step]
    kind = "an integer of 64 bits" if value.lstrip("-").isdigit() else "a number that a double holds"
    where = f"`{name_of(path)}`" if path else "the body"
    return ValidationError(f"{where} must be {kind}. Given: {show(value)}")


def _refuse_lone_surrogates(value: Any) -> None:
    path = _find(value, lambda part: isinstance(part, str) and not _encodable(part))
    if path is None:
        return
    where = quoted(name_of(path)) if path else "the body"
    raise ValidationError(f"{where} holds half of a surrogate pair, which is no character")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find(value: Any, wanted: Callable[[Any], bool], path: Path = ()) -> Path | None:
    """The path to the first part of ``value`` that is ``wanted``; a key counts as its own value."""
    if wanted(value):
        return path
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        parts = [*value.items()]
    elif isinstance(value, list):
        parts = [*enumerate(value)]
    for key, part in parts:
        if isinstance(key, str) and wanted(key):
            return (*path, key)
        found = _find(part, wanted, (*path, key))
        if found is not None:
            return found
    return None


def is_too_deep(text: str) -> bool:
    """Whether arrays and objects stand in one another more than DEEPEST deep; of what is no JSON, it may be said too soon."""
    return text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in _STRINGS.sub("", text):
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest
