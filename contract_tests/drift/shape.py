"""The shape of replies: which fields there are at each place, and of which JSON types. Holds no value and no word of them.

A shape of several replies knows what all of them showed: a field that only some have is also "absent".
Of what an empty list would hold, or a null, it knows nothing, and says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from typing import Any, Final

import spec
from contract_tests.exchange import Exchange
from contract_tests.observation import Observation
from contract_tests.values import MISSING, is_integer

Place = tuple[str, ...]

ABSENT: Final = "absent"
ITEM: Final = "[]"

OF_THE_API = ("x-", "retry-after")
"""How the names of headers begin that are the server's own and not those of what stands before it."""
OF_THE_WAY = (
    "x-amz-",
    "x-amzn-",
    "x-cache",
    "x-forwarded-",
    "x-frame-options",
    "x-xss-",
    "x-content-type-options",
    "x-powered-by",
    "x-robots-tag",
)


class Shape:
    """What replies to one request looked like."""

    def __init__(self) -> None:
        self._kinds: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        self._replies = 0

    def add(self, exchange: Exchange) -> None:
        """Look at one more reply."""
        seen = Observation(exchange)
        self._replies += 1
        self._note(("status",), str(exchange.status))
        self._note(("content-type",), seen.media_type or "none")
        for name in {name for name, _ in exchange.headers if name.startswith(OF_THE_API) and not name.startswith(OF_THE_WAY)}:
            self._note(("header", name), "present")
        if seen.is_stream:
            *before, last = seen.event_values or [MISSING]
            for value in before:
                self._look(value, ("event",))
            self._look(last, ("last event",))
        else:
            self._look(seen.document, ("reply",))

    def kinds(self, place: Place) -> frozenset[str]:
        """What was seen at ``place``; empty when nothing there could be seen."""
        found = {*self._kinds[place]} if place in self._kinds else set()
        if len(place) > 1 and place[-1] != ITEM and self._holders(place[:-1]) > sum(self._kinds.get(place, Counter()).values()):
            found.add(ABSENT)
        return frozenset(found)

    @property
    def places(self) -> list[Place]:
        return sorted(self._kinds)

    def _holders(self, parent: Place) -> int:
        """How often there was something at ``parent`` that could have held a field."""
        return self._replies if parent == ("header",) else self._kinds.get(parent, Counter())["object"]

    def _look(self, value: Any, place: Place) -> None:
        self._note(place, _kind(value, place[-1]))
        if isinstance(value, dict):
            for name, inner in value.items():
                self._look(inner, (*place, str(name)))
        elif isinstance(value, list):
            for inner in value:
                self._look(inner, (*place, ITEM))

    def _note(self, place: Place, kind: str) -> None:
        self._kinds[place][kind] += 1


def _kind(value: Any, name: str) -> str:
    """The JSON type of ``value``. A field that the contract calls a number is one also where it happens to be whole."""
    if value is MISSING:
        return "no JSON"
    if value is None:
        return "null"
    if is_integer(value):
        return "number" if name in _numbers() else "integer"
    return {bool: "boolean", float: "number", str: "string", list: "array", dict: "object"}[type(value)]


@cache
def _numbers() -> frozenset[str]:
    """The names of all fields of replies whose type is a number."""
    schemas = spec.openapi()["components"]["schemas"].values()
    fields = (field for schema in schemas for field in schema.get("properties", {}).items())
    return frozenset(name for name, row in fields if row.get("type") == "number" or "number" in row.get("type", ()))


def in_words(place: Place) -> str:
    """``("reply", "tokens", "[]", "id")`` as ``reply.tokens[].id``."""
    return ".".join(place).replace(f".{ITEM}", ITEM)
