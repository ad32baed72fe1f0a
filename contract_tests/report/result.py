"""The result of a run as plain data, ready for JSON: what every report is made from."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from contract_tests.deviations import Deviation, apply_deviations
from contract_tests.evidence import Evidence, Finding, Tally
from contract_tests.exchange import Case, Exchange, shown
from spec.secrets import MASK, is_secret_name

VERDICTS = ("pass", "fail", "skip", "inconclusive", "error")
SCHEMA = 1
SHOWN_BYTES, SHOWN_BYTES_TOGETHER, SHOWN_BYTES_LEAST = 20_000, 100_000, 2_000
"""How much of a reply a violation holds: of one, of all that it compares, and of one of many."""
BYTES_A_CHUNK = 40
"""What writing a chunk costs beside its data: a reply that came byte by byte is cut earlier."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run cost."""

    requests: int
    tokens: int
    seconds: float


def tool() -> dict[str, str]:
    """Who made the result."""
    try:
        number = version("textgen-contract")
    except PackageNotFoundError:
        number = "unknown"
    return {"name": "textgen-contract", "version": number}


def curl(exchange: Exchange, *, token_env: str) -> str:
    """A shell line that repeats the request; the token is taken from the variable ``token_env``, "" for none, and never written."""
    case = exchange.case
    words = ["curl", "-sS", "-N", "-X", "POST", shlex.quote(exchange.url)]
    for name, value in case.headers:
        words += ["-H", shlex.quote(f"{name}: {value}")]
    if token_env:
        words += ["-H", f'"Authorization: Bearer {_variable(token_env)}"']
    text = _as_text(exchange)
    if text is None:
        octal = "".join(f"\\{byte:03o}" for byte in case.body[:20_000])
        return f"printf {shlex.quote(octal)} | {' '.join(words)} --data-binary @-"
    return " ".join([*words, "--data-raw", shlex.quote(text)])


def _variable(name: str) -> str:
    """What a shell puts the value of ``name`` for; not every name of the environment is one that ``$`` can be put before."""
    return f"${name}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"$(printenv {shlex.quote(name)})"


def _as_text(exchange: Exchange) -> str | None:
    """The body as one line for a shell: JSON in ASCII where it is JSON; None when no shell could carry it."""
    case = exchange.case
    try:
        text = case.body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if case.payload is not None and case.body == Case.of(case.payload).body:
        text = json.dumps(case.payload)
    return text if text.isprintable() and len(text) <= 20_000 else None


def _text_or_base64(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _cut(data: bytes, limit: int) -> bytes:
    """The first ``limit`` bytes, less a character that the cut would halve."""
    end = limit
    while 0 < end < len(data) and limit - end < 3 and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end]


def _answer(exchange: Exchange, limit: int) -> dict[str, Any]:
    """What came back, as it came: a stream in its chunks, anything else as one body; ``bytes`` counts all of it, ``cut`` or not."""
    shown: dict[str, Any] = {"status": exchange.status, "headers": {}, "seconds": round(exchange.seconds, 6)}
    for name, told in exchange.headers:
        value = MASK if is_secret_name(name) else told
        before = shown["headers"].get(name)
        shown["headers"][name] = value if before is None else f"{before}, {value}"
    if exchange.failure:
        shown["failure"] = exchange.failure
    shown["bytes"] = sum(len(chunk.data) for chunk in exchange.chunks) + exchange.unkept
    called_stream = exchange.header("content-type").lower().startswith("text/event-stream")
    if not called_stream and not exchange.content.startswith(b"data:"):
        return shown | {"body": _text_or_base64(_cut(exchange.content, limit)), "cut": shown["bytes"] > limit}
    chunks: list[dict[str, Any]] = []
    for chunk in exchange.chunks:
        if limit <= 0:
            return shown | {"chunks": chunks, "cut": True}
        data = _cut(chunk.data, limit)
        chunks.append({"at": round(chunk.at, 6), "data": _text_or_base64(data)})
        if len(data) < len(chunk.data):
            return shown | {"chunks": chunks, "cut": True}
        limit -= len(data) + BYTES_A_CHUNK
    return shown | {"chunks": chunks, "cut": exchange.unkept > 0}


def _violation(finding: Finding, *, token_env: str) -> dict[str, Any]:
    *others, last = finding.exchanges
    limit = max(SHOWN_BYTES_LEAST, min(SHOWN_BYTES, SHOWN_BYTES_TOGETHER // len(finding.exchanges)))
    return {
        "expected": finding.violation.expected,
        "actual": finding.violation.actual,
        "case": shown(last.case, last.url) | _compared(finding, others),
        "curl": "\n".join(curl(exchange, token_env=token_env) for exchange in finding.exchanges),
        "exchange": [_answer(exchange, limit) for exchange in finding.exchanges],
    }


def _compared(finding: Finding, others: list[Exchange]) -> dict[str, Any]:
    """What a case was compared with, and how they belong together; nothing for an exchange by itself."""
    return {"relation": finding.relation, "compared_with": [shown(other.case, other.url) for other in others]} if others else {}


def _clause(tally: Tally, *, token_env: str) -> dict[str, Any]:
    statement = tally.clause.statement
    return {
        "id": statement.id,
        "section": statement.section,
        "level": statement.level,
        "basis": statement.basis,
        "sentence": statement.sentence,
        "source": statement.source,
        "verdict": tally.verdict,
        "reason": tally.reason,
        "judged": tally.judged,
        "violated": tally.violated,
        "violations": [_violation(finding, token_env=token_env) for finding in tally.findings],
    }


def counts_as_failure(clause: dict[str, Any], *, strict: bool) -> bool:
    """Whether this clause alone makes the run fail: a violated `must`, under ``strict`` a `should` too, or a stale deviation."""
    deviation = clause.get("deviation")
    if deviation is not None:
        return bool(deviation["stale"])
    return clause["verdict"] == "fail" and (clause["level"] == "must" or (strict and clause["level"] == "should"))


def make_result(
    evidence: Evidence,
    *,
    url: str,
    dialect: str,
    seed: int,
    spent: Spent,
    strict: bool = False,
    refused: Iterable[str] = (),
    without: Iterable[str] = (),
    deviations: Iterable[Deviation] = (),
    token_env: str = "",
) -> dict[str, Any]:
    """``results.json`` as the commands describe it."""
    clauses = [_clause(tally, token_env=token_env) for tally in evidence.tallies.values()]
    apply_deviations(clauses, deviations)
    summary: dict[str, Any] = {verdict: sum(clause["verdict"] == verdict for clause in clauses) for verdict in VERDICTS}
    failed = any(counts_as_failure(clause, strict=strict) for clause in clauses)
    summary["deviation"] = sum("deviation" in clause for clause in clauses)
    summary["verdict"] = "error" if summary["error"] else "fail" if failed else "pass"
    capabilities = {"refused": sorted(refused), "without": sorted(without)}
    return {
        "schema": SCHEMA,
        "tool": tool(),
        "endpoint": {"url": url, "dialect": dialect, "capabilities": capabilities},
        "seed": seed,
        "strict": strict,
        "spent": {"requests": spent.requests, "tokens": spent.tokens, "seconds": round(spent.seconds, 3)},
        "clauses": clauses,
        "summary": summary,
    }


def exit_code(result: dict[str, Any]) -> int:
    """0 nothing violated, 1 something violated, 4 the suite itself broke."""
    return {"pass": 0, "fail": 1, "error": 4}[result["summary"]["verdict"]]


def to_json(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=True) + "\n"
