"""The published table of deviations is the one that the tables make."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema_rs

import spec
from spec.deviations import render

PUBLISHED = Path(__file__).parent.parent.parent / "docs" / "deviations.md"
QUIRK = {
    "type": "object",
    "required": ["what", "kept", "source"],
    "additionalProperties": False,
    "properties": {"what": {"pattern": "\\.$"}, "kept": {"type": "boolean"}, "reason": {"pattern": "\\.$"}, "source": {"minLength": 5}},
    "if": {"properties": {"kept": {"const": False}}},
    "then": {"required": ["reason"]},
}


def test_the_published_document_is_current() -> None:
    assert render() == PUBLISHED.read_text(encoding="utf-8"), "run `python -m spec.deviations`"


def test_a_habit_that_is_not_kept_has_its_reason() -> None:
    quirks = tomllib.loads((files("spec.dialects") / "quirks.toml").read_text(encoding="utf-8"))["quirk"]

    jsonschema_rs.validate({"type": "array", "minItems": 16, "items": QUIRK}, quirks)


def test_every_conflict_of_the_ledger_is_published() -> None:
    text = render()

    assert [statement.id for statement in spec.ledger() if statement.conflict and statement.conflict not in text] == []
