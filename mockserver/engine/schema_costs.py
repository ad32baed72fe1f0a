"""What a JSON Schema may cost, counted before a library reads it: one that is too deep would end the process, not the request.

The bounds were found by trying. llguidance follows nested schemas and references by recursion, which a thread's stack of 2 MiB bears
to about 500 levels; it takes a tenth of a millisecond for each value inside a ``const``, 5 MB for 10,000 signs of a text, and a second
for the remainders of a ``multipleOf`` of 50,000. Knows no grammar.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

DEEPEST = 100
"""Arrays and objects in each other."""

LONGEST_CHAIN = 250
"""Arrays and objects in each other where references are followed: in the schema and in all that it refers to."""

MOST_OBJECTS = 8_000
"""Objects in a schema."""

LONGEST_TEXT = 50_000
"""Signs of a text that is prescribed: a ``const``, a member of ``enum``, the name of a property."""

MOST_VALUES = 4_000
"""Values inside arrays and objects that ``const`` or ``enum`` prescribes."""

MOST_REMAINDERS = 50_000
"""Remainders that ``multipleOf`` makes a number be watched for."""


def why_too_costly(schema: dict[str, Any]) -> str:
    """What about ``schema`` costs too much; "" when nothing does.

    >>> why_too_costly({"type": "object", "properties": {"name": {"type": "string"}}})
    ''
    >>> why_too_costly({"const": "x" * 1_000_000})
    'it prescribes a text longer than 50000 signs'
    """
    depth = _depth(schema)
    if depth > DEEPEST:
        return f"it is nested deeper than {DEEPEST} levels"
    objects = [part for part in _parts(schema) if isinstance(part, dict)]
    if len(objects) > MOST_OBJECTS:
        return f"it has more than {MOST_OBJECTS} objects"
    references = {part["$ref"] for part in objects if isinstance(part.get("$ref"), str)}
    if depth + sum(_depth(_target(schema, reference)) for reference in references) > LONGEST_CHAIN:
        return f"with all that it refers to it may be nested deeper than {LONGEST_CHAIN} levels"
    prescribed = [value for part in objects for value in _prescribed(part)]
    if any(isinstance(value, str) and len(value) > LONGEST_TEXT for whole in prescribed for value in _parts(whole)):
        return f"it prescribes a text longer than {LONGEST_TEXT} signs"
    if sum(1 for whole in prescribed if isinstance(whole, (dict, list)) for _ in _parts(whole)) > MOST_VALUES:
        return f"it prescribes more than {MOST_VALUES} values inside arrays and objects"
    if _remainders(part["multipleOf"] for part in objects if "multipleOf" in part) > MOST_REMAINDERS:
        return "its `multipleOf` is too large, or there are too many of them"
    return ""


def _parts(value: Any) -> Iterator[Any]:
    """``value`` and everything in it, without recursion."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += _inner(part)


def _depth(value: Any) -> int:
    """How many arrays and objects lie in each other."""
    depth, layer = 0, [value]
    while layer := [part for part in layer if isinstance(part, (dict, list))]:
        depth += 1
        layer = [inner for part in layer for inner in _inner(part)]
    return depth


def _inner(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return list(part.values())
    return part if isinstance(part, list) else []


def _target(schema: dict[str, Any], reference: str) -> Any:
    """What a reference into ``schema`` leads to; the whole schema where that is not seen at once."""
    target: Any = schema
    for name in reference.removeprefix("#").split("/")[1:] if reference.startswith("#/") else ():
        target = target.get(name) if isinstance(target, dict) else None
    return schema if target is None else target


def _remainders(multiples: Iterable[Any]) -> int:
    """For each of ``multiples`` as many as all of them together have, since schemas may be joined; last digits count for nothing.

    >>> _remainders([7, 30]), _remainders([0.01, 100]), _remainders([])
    (42, 2, 0)
    """
    given = [multiple for multiple in multiples if isinstance(multiple, (int, float)) and multiple and math.isfinite(multiple)]
    return len(given) * math.lcm(*(_free_of_ten(multiple) for multiple in given))


def _free_of_ten(multiple: float) -> int:
    """The digits of a number without the factors 2 and 5."""
    digits = int("".join(map(str, Decimal(repr(multiple)).as_tuple().digits)))
    for factor in (2, 5):
        while digits and digits % factor == 0:
            digits //= factor
    return digits


def _prescribed(part: dict[str, Any]) -> Iterator[Any]:
    """The texts and values that are prescribed word for word by this part of a schema."""
    if "const" in part:
        yield part["const"]
    for name in ("enum", "properties"):
        if isinstance(part.get(name), (dict, list)):
            yield from part[name]
