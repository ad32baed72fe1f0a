"""What the API promises: the documented payloads (`openapi.yaml`) and the ledger of promises (`statements.toml`), in each dialect.

Both towers read it and neither adds to it; it imports nothing of ours and never talks to a server.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from spec.dialects import DIALECTS, Switches, load_yaml, merge, read

__all__ = [
    "BASES",
    "DIALECTS",
    "LEVELS",
    "Statement",
    "Switches",
    "ledger",
    "openapi",
    "schema",
    "statement",
    "statements",
    "switches",
]

LEVELS: tuple[str, ...] = ("must", "should", "may")
BASES: tuple[str, ...] = ("documented", "derived", "observed")


@dataclass(frozen=True, slots=True)
class Statement:
    """One promise a server is held to.

    ``level`` is one of :data:`LEVELS`, ``basis`` one of :data:`BASES`; ``source`` says where it is from.
    ``testable`` False means that no exchange can show a breach; ``reason`` then says why.
    ``conflict`` says where the page and known servers disagree.
    """

    id: str
    section: str
    sentence: str
    level: str
    basis: str
    source: str
    dialects: tuple[str, ...] = DIALECTS
    testable: bool = True
    reason: str = ""
    conflict: str = ""


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def _document(dialect: str = DIALECTS[0]) -> dict[str, Any]:
    document = load_yaml(_text("openapi.yaml"))
    patches = read(dialect).patches
    if patches:
        document = json.loads(json.dumps(document))  # YAML's aliases become copies, so that a patch changes one place only
    for patch in patches:
        document = merge(document, patch)
    assert isinstance(document, dict)
    return document


def openapi(dialect: str = DIALECTS[0]) -> dict[str, Any]:
    """The OpenAPI document of ``dialect``: a copy that the caller may change. Unknown dialect: ValueError."""
    _check(dialect)
    return copy.deepcopy(_document(dialect))


def switches(dialect: str = DIALECTS[0]) -> Switches:
    """What ``dialect`` does otherwise beside its document. Unknown dialect: ValueError."""
    _check(dialect)
    return read(dialect).switches


def schema(name: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``components/schemas/name`` as a JSON Schema that stands alone (draft 2020-12)."""
    source = _document() if document is None else document
    if name not in source["components"]["schemas"]:
        raise KeyError(f"openapi.yaml has no schema `{name}`")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/components/schemas/{name}",
        "components": {"schemas": source["components"]["schemas"]},
    }


@cache
def ledger() -> tuple[Statement, ...]:
    """Every statement of every dialect, in the page's order."""
    rows: list[dict[str, Any]] = tomllib.loads(_text("statements.toml"))["statement"]
    return tuple(Statement(**row | {"dialects": tuple(row.get("dialects", DIALECTS))}) for row in rows)


@cache
def statements(dialect: str = DIALECTS[0]) -> tuple[Statement, ...]:
    """The ledger of ``dialect``, in the page's order. Unknown dialect: ValueError."""
    _check(dialect)
    return tuple(statement for statement in ledger() if dialect in statement.dialects)


def statement(id: str) -> Statement:
    """The statement called ``id``, in whichever dialect it holds; KeyError names it when there is none."""
    for candidate in ledger():
        if candidate.id == id:
            return candidate
    raise KeyError(f"the ledger has no statement `{id}`")


def _check(dialect: str) -> None:
    if dialect not in DIALECTS:
        raise ValueError(f"unknown dialect {dialect!r}: known are {', '.join(DIALECTS)}")
