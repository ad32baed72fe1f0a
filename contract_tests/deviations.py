"""Clauses that are known to fail: a TOML file that an endpoint's owner keeps, each entry with its reason.

A listed clause that fails does not fail the run; a listed one that passes is stale, and does, so that the file stays true.
One that was not judged is let be.

    [[deviation]]
    clause = "reply.object"
    why = "our gateway wraps replies into a list, as the hosted one does"
    link = "https://example.com/tickets/7"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from contract_tests.clauses import ALL
from contract_tests.errors import UsageError


@dataclass(frozen=True, slots=True)
class Deviation:
    """One known failure."""

    clause: str
    why: str
    link: str = ""


def read_deviations(path: Path) -> tuple[Deviation, ...]:
    """The entries of a file; UsageError names what is wrong in it."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("deviation", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no TOML file of deviations ({error}).") from None
    if not isinstance(rows, list):
        raise UsageError(f"{path} holds no list of [[deviation]] tables.")
    return tuple(_read(path, number, row) for number, row in enumerate(rows, 1))


def _read(path: Path, number: int, row: Any) -> Deviation:
    clause = row.get("clause") if isinstance(row, dict) else None
    if not isinstance(clause, str) or clause not in ALL:
        near = get_close_matches(str(clause), ALL, n=1)
        hint = f": did you mean `{near[0]}`?" if near else "."
        raise UsageError(f"deviation {number} of {path} names no clause ({clause!r}){hint}")
    if not isinstance(row.get("why"), str) or not row["why"].strip():
        raise UsageError(f"deviation {number} of {path} (`{clause}`) does not say why: add `why`.")
    return Deviation(clause, row["why"].strip(), str(row.get("link", "")))


def apply_deviations(clauses: Iterable[dict[str, Any]], deviations: Iterable[Deviation]) -> None:
    """Mark the clauses of a result: ``deviation`` on a listed one, ``stale`` beside it where it passes."""
    listed = {deviation.clause: deviation for deviation in deviations}
    for clause in clauses:
        deviation = listed.get(clause["id"])
        if deviation is not None and clause["verdict"] in ("pass", "fail"):
            clause["deviation"] = {"why": deviation.why, "link": deviation.link, "stale": clause["verdict"] == "pass"}


def propose_deviations(result: dict[str, Any]) -> str:
    """A file that lists every violated clause, for its owner to say why."""
    lines = [
        f"# What {result['endpoint']['url']} is known to do otherwise. Say why, or mend it; an entry that passes fails the run."
    ]
    for clause in result["clauses"]:
        if clause["verdict"] == "fail":
            violation = clause["violations"][0]
            comment = f"{clause['sentence']} Expected {violation['expected']}; actual {violation['actual']}."
            lines += [
                "",
                *(f"# {line}" for line in comment.splitlines()),
                "[[deviation]]",
                f"clause = {json.dumps(clause['id'])}",
            ]
            lines += [f"why = {json.dumps(clause.get('deviation', {}).get('why', 'not said yet'))}", 'link = ""']
    return "\n".join(lines) + "\n"
