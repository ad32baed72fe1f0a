"""Secrets taken out of a result before any report is made of it, wherever the endpoint may have echoed them.

Only what came from the endpoint or goes back to it is touched: a header's value such as `pass` leaves the verdicts alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

from contract_tests.report.printable import as_bytes

MASK = "****"
SHORTEST = 4
"""A shorter value would be found everywhere; it is no secret worth the name."""


def mask(result: dict[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """A copy of ``result`` without ``secrets``: in words, addresses, curl lines, headers and bodies, also torn across two chunks."""
    words = sorted((re.escape(secret) for secret in secrets if len(secret) >= SHORTEST), key=len, reverse=True)
    if not words:
        return result
    found = re.compile("|".join(words))
    endpoint = result["endpoint"] | {"url": found.sub(MASK, result["endpoint"]["url"])}
    return result | {"endpoint": endpoint, "clauses": [_masked_clause(clause, found) for clause in result["clauses"]]}


def _masked_clause(clause: dict[str, Any], found: re.Pattern[str]) -> dict[str, Any]:
    violations = []
    for violation in clause["violations"]:
        told = {name: _masked(value, found) for name, value in violation.items() if name != "exchange"}
        if "exchange" in violation:
            told["exchange"] = [_masked_reply(reply, found) for reply in violation["exchange"]]
        violations.append(told)
    return clause | {"reason": _masked(clause["reason"], found), "violations": violations}


def _masked(value: Any, found: re.Pattern[str]) -> Any:
    match value:
        case str():
            return found.sub(MASK, value)
        case list():
            return [_masked(item, found) for item in value]
        case {"base64": str()} if len(value) == 1:
            return _masked_data([value], found)[0]
        case dict():
            return {name: _masked(item, found) for name, item in value.items()}
    return value


def _masked_reply(reply: dict[str, Any], found: re.Pattern[str]) -> dict[str, Any]:
    told = reply | {"headers": {found.sub(MASK, name): found.sub(MASK, value) for name, value in reply["headers"].items()}}
    if "failure" in reply:
        told["failure"] = found.sub(MASK, reply["failure"])
    if "body" in reply:
        told["body"] = _masked_data([reply["body"]], found)[0]
    if "chunks" in reply:
        clean = _masked_data([chunk["data"] for chunk in reply["chunks"]], found)
        told["chunks"] = [chunk | {"data": data} for chunk, data in zip(reply["chunks"], clean, strict=True)]
    return told


def _masked_data(parts: list[Any], found: re.Pattern[str]) -> list[Any]:
    """The parts of one body without the secrets in it; one that is torn in two is taken out of both, the mask stands in the first."""
    pieces = [as_bytes(part) for part in parts]
    # one character a byte, so that places are the same in both
    whole = b"".join(pieces).decode("latin-1")
    spans = [match.span() for match in found.finditer(whole)]
    if not spans:
        return parts
    masked, start = [], 0
    for piece in pieces:
        end, text, at = start + len(piece), "", start
        for first, last in spans:
            if last <= start or first >= end:
                continue
            text += whole[at : max(first, at)] + (MASK if start <= first < end else "")
            at = min(last, end)
        masked.append((text + whole[at:end]).encode("latin-1"))
        start = end
    return [_text_or_base64(data) for data in masked]


def _text_or_base64(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}
