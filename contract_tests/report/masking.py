"""Secrets taken out of a result before any report is made of it, wherever the endpoint may have echoed them.

Only what came from the endpoint or goes back to it is touched: a header's value such as `pass` leaves the verdicts alone.
"""

from __future__ import annotations

from typing import Any

from spec.secrets import Masker


def mask(result: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """A copy of ``result`` without secrets: in words, addresses, curl lines, headers and bodies, also torn across two chunks."""
    endpoint = result["endpoint"] | {"url": masker.text(result["endpoint"]["url"])}
    return result | {"endpoint": endpoint, "clauses": [_masked_clause(clause, masker) for clause in result["clauses"]]}


def _masked_clause(clause: dict[str, Any], masker: Masker) -> dict[str, Any]:
    violations = []
    for violation in clause["violations"]:
        told = {name: masker.value(value) for name, value in violation.items() if name != "exchange"}
        if "exchange" in violation:
            told["exchange"] = [masker.reply(reply) for reply in violation["exchange"]]
        violations.append(told)
    return clause | {"reason": masker.text(clause["reason"]), "violations": violations}
