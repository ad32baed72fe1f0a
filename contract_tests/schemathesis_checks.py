"""Our clauses as a check of Schemathesis: each case that it draws over the contract is judged by every clause of a single exchange.

Importing this module registers `text_generation_contract`; with Schemathesis' own command:

    SCHEMATHESIS_HOOKS=contract_tests.schemathesis_checks schemathesis run openapi.json --url http://127.0.0.1:8080

Whether a case is right or wrong is decided by our own validator, since Schemathesis' idea of negative data changes with its releases.
`TEXTGEN_DIALECT` names the dialect, `TEXTGEN_STRICT=1` counts `should` as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import schemathesis
from schemathesis import CheckContext, Response
from schemathesis.core.failures import Failure, FailureGroup, Severity

import spec
from contract_tests.clauses import Clause, clauses_of
from contract_tests.errors import UsageError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.judging import with_purpose

AnyCase: TypeAlias = "schemathesis.Case[Any]"
SEVERITIES = {"must": Severity.HIGH, "should": Severity.MEDIUM, "may": Severity.LOW}


class ContractFailure(Failure):
    """A clause was violated; its id is the title, so that each clause is reported once."""

    __slots__ = ()

    @property
    def _unique_key(self) -> str:
        return self.title


@cache
def _chosen() -> Mapping[str, Clause]:
    """The clauses that count; UsageError for a dialect that nobody knows."""
    dialect = os.environ.get("TEXTGEN_DIALECT") or spec.DIALECTS[0]
    if dialect not in spec.DIALECTS:
        raise UsageError(f"TEXTGEN_DIALECT is `{dialect}`: known dialects are {', '.join(spec.DIALECTS)}.")
    levels = ("must", "should") if os.environ.get("TEXTGEN_STRICT") else ("must",)
    return {id: clause for id, clause in clauses_of(dialect).items() if clause.statement.level in levels}


@schemathesis.check
def text_generation_contract(_: CheckContext, response: Response, case: AnyCase) -> bool | None:
    """Does the reply keep every clause of the text-generation contract that this exchange shows?"""
    # a stream that was cut short (`max-stream-events`) has no end to judge
    if not _is_generation(case) or response.stream_cut_short:
        return True
    evidence = Evidence(_chosen())
    evidence.observe(with_purpose(_exchange(response)))
    failures = [
        ContractFailure(
            operation=case.operation.label,
            title=id,
            message=f"{tally.clause.statement.sentence}\n\nExpected: {found.violation.expected}\nActual:   {found.violation.actual}",
            severity=SEVERITIES[tally.clause.statement.level],
        )
        for id, tally in evidence.tallies.items()
        for found in tally.findings
    ]
    if failures:
        raise FailureGroup(failures)
    return None


def _is_generation(case: AnyCase) -> bool:
    """Whether the case is a request for text, JSON or a stream as it says: no other operation answers both ways."""
    told = case.operation.definition.raw.get("responses", {}).get("200", {}).get("content", {})
    return case.media_type == "application/json" and {"application/json", "text/event-stream"} <= told.keys()


def _exchange(response: Response) -> Exchange:
    """What Schemathesis sent and got, as the clauses know it."""
    body = response.request.body or b""
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    headers = tuple((name, value) for name, values in response.headers.items() for value in values)
    chunks = (Chunk(response.elapsed, response.content or b""),)
    case = Case(body=data, payload=_payload(data))
    return Exchange(case, str(response.request.url), response.status_code, headers, chunks, response.elapsed)


def _payload(data: bytes) -> object:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
