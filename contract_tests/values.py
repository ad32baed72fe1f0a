"""JSON values as an endpoint sends them, read without trusting any of it, and as sentences show them. Nothing raises."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, TypeGuard

Json = dict[str, Any]


class Missing:
    """What stands where nothing was sent; distinct from JSON's null."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing()


CUT = "\N{REPLACEMENT CHARACTER}"
"""What a decoder writes for a part of a character whose other bytes are in another token."""

LARGEST_NUMBER = 2**1000
"""Integers from here on have no logarithm, no sum and no comparison with a float that a clause could make use of."""


def is_integer(value: Any) -> TypeGuard[int]:
    """A JSON integer: not a boolean, not 1.0."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """A finite JSON number, and no integer that no float can hold."""
    return (is_integer(value) and abs(value) < LARGEST_NUMBER) or (
        isinstance(value, float) and value == value and abs(value) != float("inf")
    )


def numbers(values: Iterable[Any]) -> list[float] | None:
    """``values`` when there are some and all are numbers, else None."""
    found = list(values)
    return found if found and all(is_number(value) for value in found) else None


def parse(text: str | bytes) -> Any:
    """The JSON value of ``text``, MISSING when it is none (NaN and Infinity are none)."""
    return _load(text, parse_constant=_no_constant)


def _load(text: str | bytes, **hooks: Any) -> Any:
    try:
        # bytes are decoded here, because json.loads would guess at UTF-16 and UTF-32, which RFC 8259 does not allow
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, **hooks)
    except (ValueError, RecursionError):
        return MISSING


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def repeated_name(text: str | bytes) -> str:
    """A name that an object of this JSON has twice: readers disagree about which value counts (RFC 8259, 4). ``""`` without one."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            found.append(next(name for name in names if names.count(name) > 1))

    whole = _load(text, object_pairs_hook=note) is not MISSING
    return found[0] if whole and found else ""


def objects(value: Any) -> list[Json]:
    """The objects in a list, the rest left out; [] when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def shorten(value: Any, limit: int = 160) -> str:
    """``value`` for a sentence: text escaped where it is not printable, quoted when it is blank, cut in the middle when long."""
    if isinstance(value, str):
        text = value if value.strip() else json.dumps(value)
    else:
        text = repr(value) if isinstance(value, Missing) else json.dumps(value, default=str)
    if len(text) > 4 * limit:  # before each sign is looked at, since a body may have millions
        text = text[: 2 * limit] + text[-2 * limit :]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if len(text) <= limit else f"{text[: limit * 2 // 3]} ... {text[-limit // 4 :]}"
