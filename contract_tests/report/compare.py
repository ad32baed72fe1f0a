"""Several results side by side: clauses in rows, endpoints in columns. For a terminal and as Markdown; reading files is elsewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract_tests.report.markdown import escaped
from contract_tests.report.printable import printable
from contract_tests.report.verdicts import KINDS, ending, kinds

STYLES = {
    "fail": "bold red",
    "stale": "bold red",
    "warn": "yellow",
    "known": "yellow",
    "error": "bold magenta",
    "inconclusive": "yellow",
    "skip": "dim",
    "pass": "green",
    "": "dim",
}
ABSENT = "·"
"""Stands where a result does not hold the clause."""


@dataclass(frozen=True, slots=True)
class Column:
    """One endpoint: the letter that heads its column, and what its run came to."""

    letter: str
    url: str
    dialect: str
    version: str
    seed: int
    ending: str
    verdict: str
    counts: Counter[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One clause: its kind of outcome in each column, "" where a result does not hold it."""

    id: str
    section: str
    level: str
    sentence: str
    outcomes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.outcomes)) > 1

    @property
    def tells(self) -> bool:
        """Whether it tells the endpoints apart, or one of them violates it or leaves it open."""
        return self.differs or not set(self.outcomes) <= {"pass", "skip"}


@dataclass(frozen=True, slots=True)
class Comparison:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows that tell the endpoints apart."""
        return tuple(row for row in self.rows if row.differs)


def compare(results: list[dict[str, Any]]) -> Comparison:
    """Results as results.json holds them, in the order given. Clauses keep the order of the first result that holds them."""
    tables = [dict(zip((clause["id"] for clause in it["clauses"]), kinds(it), strict=True)) for it in results]
    clauses = _in_order([it["clauses"] for it in results])
    rows = (
        Row(
            clause["id"],
            clause["section"],
            clause["level"],
            clause["sentence"],
            tuple(table.get(clause["id"], "") for table in tables),
        )
        for clause in clauses
    )
    return Comparison(tuple(_column(place, it) for place, it in enumerate(results)), tuple(rows))


def _in_order(lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All clauses once; one that only a later result holds stands behind the clause that it follows there."""
    merged: list[dict[str, Any]] = []
    for clauses in lists:
        known, place = {clause["id"] for clause in merged}, 0
        for clause in clauses:
            if clause["id"] in known:
                place = next(at for at, it in enumerate(merged) if it["id"] == clause["id"]) + 1
            else:
                merged.insert(place, clause)
                place += 1
    return merged


def _column(place: int, result: dict[str, Any]) -> Column:
    round_, letter = divmod(place, len(ascii_uppercase))
    return Column(
        letter=ascii_uppercase[letter] + (str(round_) if round_ else ""),
        url=result["endpoint"]["url"],
        dialect=result["endpoint"]["dialect"],
        version=result["tool"]["version"],
        seed=result["seed"],
        ending=ending(result),
        verdict=result["summary"]["verdict"],
        counts=Counter(kinds(result)),
    )


def _told(outcome: str) -> str:
    return " ".join(KINDS[outcome]) if outcome else ABSENT


def _summary(comparison: Comparison, shown: int) -> str:
    same = len(comparison.rows) - len(comparison.differing)
    hidden = len(comparison.rows) - shown
    words = f"{len(comparison.differing)} of {len(comparison.rows)} clauses differ, {same} are the same"
    return words + (f"; {hidden} that passed or were skipped everywhere are not shown" if hidden else "")


def _shown(comparison: Comparison, *, everything: bool) -> list[Row]:
    """All rows, or those that differ or that some endpoint violates."""
    return [row for row in comparison.rows if everything or row.tells]


def to_markdown(comparison: Comparison, *, everything: bool = False) -> str:
    """Two tables: the endpoints with their figures, then the clauses that differ or that one violates; ``everything``: all clauses."""
    lines = [
        "## Endpoints side by side",
        "",
        "| | endpoint | dialect | verdict | " + " | ".join(word for _, word in KINDS.values()) + " |",
    ]
    lines.append("|" + " --- |" * (4 + len(KINDS)))
    for column in comparison.columns:
        figures = " | ".join(str(column.counts[name]) for name in KINDS)
        url = f"<code>{escaped(column.url)}</code>"
        lines.append(f"| {column.letter} | {url} | {escaped(column.dialect)} | {column.ending} | {figures} |")
    rows = _shown(comparison, everything=everything)
    lines += ["", f"{_summary(comparison, len(rows))}.", ""]
    if rows:
        lines += ["| clause | level | " + " | ".join(column.letter for column in comparison.columns) + " |"]
        lines += ["|" + " --- |" * (2 + len(comparison.columns))]
    for row in rows:
        outcomes = " | ".join(_told(outcome) for outcome in row.outcomes)
        lines.append(f"| <code>{escaped(row.id)}</code> | {escaped(row.level)} | {outcomes} |")
    return "\n".join(lines).rstrip("\n") + "\n"


def print_comparison(comparison: Comparison, console: Console, *, everything: bool = False) -> None:
    """The same on a terminal; rows that differ are marked, not only coloured."""
    for column in comparison.columns:
        counts = ", ".join(f"{column.counts[name]} {word}" for name, (_, word) in KINDS.items() if column.counts[name])
        about = f" {column.ending}\n   {counts}; {column.dialect}, seed {column.seed}, version {column.version}"
        console.print(
            Text.assemble((f"{column.letter}  ", "bold"), printable(column.url + about)), soft_wrap=True, highlight=False
        )
    rows = _shown(comparison, everything=everything)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "clause", "level", *(column.letter for column in comparison.columns)):
        table.add_column(heading, overflow="fold")
    for row in rows:
        cells = [Text(_told(outcome), style=STYLES[outcome], no_wrap=True) for outcome in row.outcomes]
        table.add_row("≠" if row.differs else "", Text(printable(row.id)), Text(printable(row.level)), *cells)
    if rows:
        console.print()
        console.print(table, highlight=False)
    console.print()
    console.print(_summary(comparison, len(rows)), soft_wrap=True, highlight=False)
