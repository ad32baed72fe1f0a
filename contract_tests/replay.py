"""One violation of an earlier run, sent again: results.json -> requests -> the same clause."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from contract_tests.clauses import ALL
from contract_tests.client import Client
from contract_tests.errors import UnreachableError, UsageError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, case_of
from spec.secrets import Masker


@dataclass(frozen=True, slots=True)
class FailingCase:
    """The requests of a violation, the order kept; ``relation`` is "" for one exchange by itself."""

    clause: str
    relation: str
    url: str
    cases: tuple[Case, ...]
    dialect: str = "documented"
    seed: int = 0


def read_case(path: Path, clause: str) -> FailingCase:
    """The smallest failing case of ``clause`` in results.json; UsageError in one sentence when there is none."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        rows = {row["id"]: row for row in result["clauses"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no results.json ({error}): write one with `textgen-contract check --json FILE`.") from None
    if clause not in ALL or clause not in rows:
        raise UsageError(f"{path} has no clause `{clause}`: `textgen-contract clauses` lists them all.")
    if not rows[clause].get("violations"):
        raise UsageError(f"`{clause}` was not violated in {path}: its verdict there is {rows[clause].get('verdict')}.")
    told = rows[clause]["violations"][0]["case"]
    try:
        cases = tuple(case_of(request) for request in (*told.get("compared_with", ()), told))
        dialect, seed = str(result["endpoint"]["dialect"]), int(result["seed"])
        return FailingCase(clause, str(told.get("relation", "")), str(told["url"]), cases, dialect, seed)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the case of `{clause}` in {path} is broken ({error}).") from None


def replay_case(case: FailingCase, client: Client, masker: Masker) -> Evidence:
    """Send the requests again and judge them by that clause alone; UnreachableError when nothing answers at all."""
    evidence = Evidence({case.clause: ALL[case.clause]})
    seen = [evidence.observe(client.send(one)) for one in case.cases]
    if not any(one.status for one in seen):
        told = f"{client.url} could not be reached ({seen[-1].exchange.failure}): is the server running, and the address right?"
        raise UnreachableError(masker.text(told))
    if case.relation:
        evidence.relate(case.relation, seen)
    return evidence
