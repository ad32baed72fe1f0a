"""What is kept of what was found: a few violations, the smallest ones, and of long replies their beginning."""

from __future__ import annotations

from contract_tests.clauses import CLAUSES, Violation
from contract_tests.evidence import KEPT, KEPT_BYTES, Evidence, Finding, Tally
from contract_tests.exchange import Case, Chunk, Exchange, shortened
from contract_tests.report.result import SHOWN_BYTES, SHOWN_BYTES_TOGETHER, _answer

URL = "http://x.test/"


def exchange(inputs: str, *chunks: bytes) -> Exchange:
    return Exchange(Case.of({"inputs": inputs}), URL, 200, (), tuple(Chunk(0.1 * at, data) for at, data in enumerate(chunks)))


def tally(*exchanges: Exchange) -> Tally:
    tally = Evidence().tallies["reply.json"]
    for one in exchanges:
        tally.add(Finding(Violation("a", one.case.payload["inputs"]), (one,)))
    return tally


def test_the_smallest_violations_are_kept_and_all_are_counted() -> None:
    found = tally(*(exchange("x" * length, b"y") for length in (9, 3, 7, 1, 8, 2, 6, 4, 5)))

    assert 9 == found.violated
    assert ["x" * length for length in range(1, KEPT + 1)] == [finding.violation.actual for finding in found.findings]


def test_of_a_long_reply_the_beginning_is_kept_which_is_more_than_any_report_shows() -> None:
    long = exchange("x", b"a" * KEPT_BYTES, b"b" * 5_000_000)
    kept = tally(long).findings[0].exchanges[0]

    assert (KEPT_BYTES, 5_000_000) == (len(kept.content), kept.unkept)
    assert _answer(long, SHOWN_BYTES) == _answer(kept, SHOWN_BYTES)
    assert KEPT_BYTES > SHOWN_BYTES_TOGETHER


def test_a_reply_that_is_short_is_kept_as_it_came() -> None:
    short = exchange("x", b"abc", b"", b"de")

    assert short is shortened(short, 5)
    assert (b"ab", 3) == (shortened(short, 2).content, shortened(short, 2).unkept)
    assert 3 == shortened(shortened(short, 4), 2).unkept


def test_two_evidences_of_the_same_clauses_are_put_together() -> None:
    one, other = Evidence(), Evidence()
    for evidence, inputs, reason in ((one, "xx", ""), (other, "x", "later")):
        tally = evidence.tallies["reply.json"]
        tally.judged += 2
        tally.skipped = reason
        tally.add(Finding(Violation("a", inputs), (exchange(inputs, b"y"),)))
    one.merge(other)
    whole = one.tallies["reply.json"]

    assert (4, 2, "later") == (whole.judged, whole.violated, whole.skipped)
    assert ["x", "xx"] == [finding.violation.actual for finding in whole.findings]
    assert one.tallies.keys() == CLAUSES.keys()
