"""What one machine tells another of what it has judged."""

from __future__ import annotations

import json

from contract_tests.evidence import KEPT, Evidence
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.load.outcome import add, sum_up, tell
from contract_tests.report.result import Spent, make_result

URL = "http://127.0.0.1:1/"


def judged(*replies: object) -> Evidence:
    """Tallies after replies to a right request."""
    evidence = Evidence()
    for reply in replies:
        chunks = (Chunk(0.0, json.dumps(reply).encode()),)
        headers = (("content-type", "application/json"),)
        evidence.observe(Exchange(Case.of({"inputs": "hi"}), URL, 200, headers, chunks))
    return evidence


def result(evidence: Evidence) -> object:
    return make_result(evidence, url=URL, dialect="documented", seed=0, spent=Spent(0, 0, 0.0))["clauses"]


def test_tallies_arrive_as_they_were() -> None:
    evidence = judged({"generated_text": 7}, {"generated_text": "text"})
    copy = Evidence()
    add(copy, json.loads(json.dumps(tell(evidence))))

    assert result(evidence) == result(copy)


def test_the_tallies_of_two_machines_are_those_of_one_that_saw_all() -> None:
    bad, good = {"generated_text": 7}, {"generated_text": "text"}
    whole = Evidence()
    add(whole, sum_up([tell(judged(bad, good)), tell(judged(bad))]))

    assert result(judged(bad, good, bad)) == result(whole)


def test_violations_beyond_those_kept_are_counted() -> None:
    told = tell(judged(*[{"generated_text": 7}] * (KEPT + 3)))
    whole = Evidence()
    add(whole, sum_up([told, told]))
    tally = whole.tallies["reply.generated_text.type"]

    assert (2 * (KEPT + 3), KEPT) == (tally.violated, len(tally.findings))


def test_what_showed_nothing_is_not_told() -> None:
    assert {} == tell(Evidence())
