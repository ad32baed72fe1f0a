"""``docs/deviations.md``: where the page, text-generation-inference and the hosted front door disagree, from the ledger and the tables.

``python -m spec.deviations`` writes it. Judges nothing.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import spec
from spec.dialects import meaning, read, switch_names

HEAD = """\
# Deviations

Where the documented page, text-generation-inference and the hosted front door disagree, what each does, and what this project's
fake does in each dialect (`textgen-mock serve --dialect D`, `textgen-contract check --dialect D`).
Made from `spec/` by `python -m spec.deviations`; a test keeps it current.
"""


def render() -> str:
    """The whole document."""
    return "\n".join([HEAD, *_dialects(), *_switches(), *_bounds(), *_statements(), *_conflicts(), *_quirks()])


def _table(*columns: str) -> Iterator[str]:
    yield _row(*columns)
    yield _row(*("---" for _ in columns))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _dialects() -> Iterator[str]:
    yield "## Dialects\n"
    yield from _table("dialect", "whose habits")
    for name in spec.DIALECTS:
        yield _row(f"`{name}`", read(name).summary)


def _switches() -> Iterator[str]:
    yield "\n## Switches\n\nThe closed table of what servers do otherwise; the fake does in each dialect what stands in its column.\n"
    yield from _table("what", *spec.DIALECTS)
    for name in switch_names():
        yield _row(meaning(name), *(_shown(getattr(spec.switches(dialect), name)) for dialect in spec.DIALECTS))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`" if value else "none"


def _bounds() -> Iterator[str]:
    yield "\n## Bounds of parameters\n\nOnly those that differ: what is taken, and the sentence with which anything else is refused.\n"
    yield from _table("parameter", *spec.DIALECTS)
    rows = {dialect: spec.openapi(dialect)["components"]["schemas"]["Parameters"]["properties"] for dialect in spec.DIALECTS}
    for name in rows[spec.DIALECTS[0]]:
        told = [_bound(rows[dialect][name]) for dialect in spec.DIALECTS]
        if len(set(told)) > 1:
            yield _row(f"`{name}`", *told)


def _bound(row: dict[str, object]) -> str:
    keywords = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "maxItems")
    parts = ["null too"] if "null" in str(row.get("type", row.get("oneOf"))) else ["no null"]
    parts += [f"{keyword} {row[keyword]}" for keyword in keywords if keyword in row]
    if "oneOf" in row:
        parts.append(f"{str(row['oneOf']).count('$ref')} forms")
    return ", ".join(parts) + (f": {row['x-message']}" if "x-message" in row else "")


def _statements() -> Iterator[str]:
    yield "\n## Statements that do not hold everywhere\n"
    yield from _table("statement", "sentence", "holds in", "source")
    for statement in spec.ledger():
        if statement.dialects != spec.DIALECTS:
            yield _row(f"`{statement.id}`", statement.sentence, ", ".join(statement.dialects), statement.source)


def _conflicts() -> Iterator[str]:
    yield "\n## Where the page contradicts itself or known servers\n\nWhat is judged therefore stands in the sentence.\n"
    yield from _table("statement", "sentence", "conflict", "source")
    for statement in spec.ledger():
        if statement.conflict:
            yield _row(f"`{statement.id}`", statement.sentence, statement.conflict, statement.source)


def _quirks() -> Iterator[str]:
    yield "\n## Habits of text-generation-inference\n\nWhat the `tgi` dialect of the fake keeps of them.\n"
    yield from _table("what it does", "kept", "why, or how far", "source")
    text = (files("spec.dialects") / "quirks.toml").read_text(encoding="utf-8")
    for quirk in tomllib.loads(text)["quirk"]:
        yield _row(quirk["what"], "yes" if quirk["kept"] else "no", quirk.get("reason", ""), quirk["source"])
    yield ""


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/deviations.md")
    path.write_text(render(), encoding="utf-8")
