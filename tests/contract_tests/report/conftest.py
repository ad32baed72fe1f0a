"""A result to report on."""

from __future__ import annotations

from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Skip, Violation
from contract_tests.evidence import Evidence, Finding
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.report.result import Spent, make_result

HOSTILE = (
    '</script><script>window.hacked = 1</script><img src="https://evil.example/x" onerror="window.hacked=1">'
    " | `a`\\| ``` \n\n# \u202e**x** [a](javascript:1) @all www.evil.example\x00\ud800"
)
"""What a server could say to break out of a report."""
URL = "http://127.0.0.1:8080/models/google/gemma-2-2b-it"


def plain(payload: Any, body: bytes, *, status: int = 200) -> Exchange:
    headers = (("content-type", "application/json"), ("x-a", "1"), ("x-a", "2"))
    return Exchange(Case.of(payload), URL, status, headers, (Chunk(0.02, body[:5]), Chunk(0.03, body[5:])), 0.031)


def stream(*chunks: tuple[float, bytes]) -> Exchange:
    case = Case.of({"inputs": "Hi", "stream": True})
    return Exchange(case, URL, 200, (("content-type", "text/event-stream"),), tuple(Chunk(*chunk) for chunk in chunks), 0.5)


def find(evidence: Evidence, id: str, words: str, *exchanges: Exchange) -> None:
    tally = evidence.tallies[id]
    tally.judged += 1
    tally.add(Finding(Violation(expected=f"expected {words}", actual=f"actual {words}"), exchanges))


def result_of(evidence: Evidence, *, strict: bool = False, url: str = URL) -> dict[str, Any]:
    return make_result(
        evidence,
        url=url,
        dialect="documented",
        seed=7,
        spent=Spent(12, 345, 6.7891),
        strict=strict,
        refused=["grammar"],
        token_env="MY_TOKEN",
    )


@pytest.fixture
def evidence() -> Evidence:
    """Of every verdict at least one, with a plain reply, a pair, a stream and a hostile server."""
    evidence = Evidence(CLAUSES)
    for tally in evidence.tallies.values():
        tally.judged = 3
    event = b'data:{"index":1,"token":{"id":5,"text":" caf\xc3\xa9","logprob":-0.5,"special":false}}\n\n'
    find(evidence, "stream.index.counts", "of a stream", stream((0.1, event[:52]), (0.1004, event[52:]), (0.4, b"data:\xff\r\n")))
    find(evidence, "reply.json", HOSTILE, plain({"inputs": HOSTILE[:-1]}, HOSTILE.encode("utf-8", "replace"), status=500))
    once = plain({"inputs": "1, 2", "parameters": {"seed": 1}}, b'{"generated_text":"3, 4"}')
    find(evidence, "parameters.seed.repeats", "of a pair", once, plain({"inputs": "1, 2"}, b'{"generated_text":"5, 6"}'))
    evidence.tallies["stream.framing"].judged = 0
    evidence.tallies["stream.framing"].skipped = "nothing <b>showed</b> it"
    evidence.tallies["stream.events"].judged = 0
    evidence.tallies["stream.events"].inconclusive = Skip("needs | 400 requests", inconclusive=True).reason
    return evidence


@pytest.fixture
def result(evidence: Evidence) -> dict[str, Any]:
    return result_of(evidence)
