"""Clauses of the documented headers: `authorization`, `x-use-cache`, `x-wait-for-model`."""

from __future__ import annotations

import math

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, others_are_accepted, same_pair
from contract_tests.exchange import RECORDED
from contract_tests.observation import Group, Observation
from contract_tests.statistics import ALPHA
from contract_tests.values import MISSING, shorten

for _id in ("headers.authorization.accepted", "headers.use-cache.type", "headers.wait-for-model.type"):
    clause(_id, about=_id)(others_are_accepted)


_COMPUTE = ("x-compute-type", "x-compute-characters")
_TIMES = ("x-compute-time", "x-total-time", "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token")


@clause("headers.compute")
def reply_tells_what_it_took(seen: Observation) -> Outcome:
    if not seen.generated:
        return NOT_MINE
    header = seen.exchange.header
    wanted = _COMPUTE if seen.is_stream else (*_COMPUTE, "x-prompt-tokens", "x-generated-tokens", *_TIMES)
    missing = [name for name in wanted if not header(name)]
    if missing:
        return Violation(f"the header `{missing[0]}`", f"{', '.join(name for name, _ in seen.exchange.headers)}")
    counts = {"x-compute-characters": len(seen.asked.inputs)}
    if not seen.is_stream and seen.count is not None:
        counts["x-generated-tokens"] = seen.count
    wrong = [name for name, count in counts.items() if header(name) != str(count)]
    return Violation(f"`{wrong[0]}: {counts[wrong[0]]}`", shorten(header(wrong[0]))) if wrong else None


@clause("headers.request-id")
def reply_carries_the_front_doors_headers(seen: Observation) -> Outcome:
    if not seen.generated:
        return NOT_MINE
    missing = [name for name in ("x-compute-type", "x-request-id", "x-sha") if not seen.exchange.header(name)]
    if len(missing) == 3 and seen.case.about == RECORDED:
        return Skip("the recorded replies have none of the front door's headers: before 2024, or not written down")
    return Violation(f"the header `{missing[0]}`", f"{', '.join(name for name, _ in seen.exchange.headers)}") if missing else None


@clause("headers.use-cache.neutral", of="use-cache")
def cache_changes_no_text(pair: Group) -> Outcome:
    return same_pair(pair, ("the request with `x-use-cache: true`", "with `x-use-cache: false`"))


@clause("headers.wait-for-model.503")
def loading_is_told_with_an_error(seen: Observation) -> Outcome:
    """A 503 that tells how long loading takes; any other is no answer at all, and is judged as such."""
    if seen.status != 503 or seen.case.faulty or "estimated_time" not in seen.text:
        return NOT_MINE
    return None if isinstance(seen.error, str) and seen.error else Violation("status 503 with an `error` in words", seen.brief)


@clause("headers.wait-for-model.waits", of="loading")
def waiting_brings_the_answer(pair: Group) -> Outcome:
    """A request that was answered 503, and the same with `x-wait-for-model: true`."""
    _, waited = pair.members
    if waited.status == 503:
        return Violation("the answer, once the model is ready: `x-wait-for-model: true` was sent", waited.brief)
    return None if waited.status else Skip("the connection broke while the request waited")


@clause("headers.use-cache.new-query", of="fresh-draws")
def no_cache_is_a_new_query(group: Group) -> Outcome:
    """The same request that samples, without a seed and with `x-use-cache: false`, several times: with chance p^(n-1) all the same."""
    if not group.all_generated:
        return Skip("a request that samples was not answered with text")
    first, *others = group.members
    if any(other.new_text != first.new_text for other in others):
        return None
    if first.path is None:
        return Skip("the endpoint tells no logprobs, so nothing bounds the chance of equal draws", inconclusive=True)
    chance = math.exp(first.path * len(others))
    if chance > ALPHA:
        return Skip(f"the text is too likely: drawn {len(group.members)} times with chance {chance:.1e}", inconclusive=True)
    return Violation(
        f"a new draw each time (chance of none: {chance:.1e})", f"{len(group.members)} times {shorten(first.new_text)}"
    )


@clause("headers.authorization.wrong", of="authorization")
def wrong_token_is_refused(pair: Group) -> Outcome:
    """Without a token, which tells whether one is needed, and with a wrong one."""
    none, wrong = pair.members
    if none.answered:
        return Skip("the endpoint needs no token")
    if wrong.answered:
        return Violation("a wrong token is refused with 401 or 403", wrong.brief)
    if wrong.status not in (400, 401, 403):
        return Violation("a wrong token is refused with 401 or 403", wrong.brief)
    return None if wrong.error is not MISSING else Violation("a refusal with an `error`", wrong.brief)
