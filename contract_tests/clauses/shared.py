"""Judgements that several sections share: an object has its fields, a request is refused, two generations are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile, zip_longest
from typing import Any, NamedTuple

from contract_tests.clauses.registry import Outcome, Skip, Violation
from contract_tests.observation import ABOVE_ZERO, Group, Observation
from contract_tests.statistics import ENOUGH, log_e_of_partings
from contract_tests.values import MISSING, Json, is_integer, is_number, numbers, objects, shorten

NOT_MINE = Skip("")
OUT_OF_BOUNDS = (".bounds", ".edges", ".limit", ".room", ".samples-only", ".no-seed", ".no-stream", ".empty")
"""How the ids end of statements whose faulty requests are refused for a value, not for its type."""
TOKEN_FIELDS = ("id", "logprob", "special", "text")

LOGPROB_TOLERANCE = 0.05
"""Nats by which two logprobs of the same token may differ: rounding of 16-bit arithmetic and of batches, not another distribution."""

REPEATED_TOLERANCE = 2 * LOGPROB_TOLERANCE
"""As above, where two requests tell many logprobs, unlikely ones among them: over hundreds, noise goes farther once in a while."""

NEAR_TIE = 0.05
"""Nats within which two candidates count as equally likely: arithmetic noise of a real GPU may choose either."""


def first(violations: Iterable[Violation | None]) -> Violation | None:
    """The first violation of several."""
    return next((violation for violation in violations if violation is not None), None)


def refused(seen: Observation) -> Outcome:
    """A request with one fault: anything between 400 and 499 refuses it; so does a stream whose only event is an error."""
    if not seen.status:
        return Skip("the connection broke (judged by errors.never-5xx)")
    if 400 <= seen.status < 500 or (seen.status == 200 and seen.stream_error and not seen.events):
        return None
    if seen.status in (429, 503) or seen.status >= 500:
        return Skip("answered with a 5xx (judged by errors.never-5xx)")
    return Violation("a refusal: status 4xx with an `error`", seen.brief)


def accepted(seen: Observation) -> Outcome:
    """A request without fault is answered with 200."""
    if seen.stream_error and not seen.events:
        return Violation("status 200 and generated text", f"an error event: {shorten(seen.stream_error)}")
    return None if seen.answered else Violation("status 200 and generated text", seen.brief)


def is_loading(seen: Observation) -> bool:
    """A 503 of a model that is not ready yet: it tells how long loading takes."""
    return seen.status == 503 and "estimated_time" in seen.text


def faulty_are_refused(seen: Observation) -> Outcome:
    """Judges the requests that break a statement, among those about it."""
    return refused(seen) if seen.case.faulty else NOT_MINE


def others_are_accepted(seen: Observation) -> Outcome:
    """Judges the requests that try what a statement allows, among those about it."""
    return NOT_MINE if seen.case.faulty else accepted(seen)


def has_fields(value: Any, fields: Iterable[str], what: str) -> Violation | None:
    """``value`` is an object that holds ``fields``."""
    if not isinstance(value, dict):
        return Violation(f"{what} is an object", shorten(value))
    missing = [name for name in fields if name not in value]
    return Violation(f"{what} has `{missing[0]}`", shorten(value)) if missing else None


def is_list(value: Any, what: str) -> Violation | None:
    return None if isinstance(value, list) else Violation(f"{what} is a list", shorten(value))


def all_fields(values: Any, name: str, good: Callable[[Any], bool], expected: str, what: str) -> Outcome:
    """Each object in ``values`` that has field ``name`` has a good one; absent fields are another clause's."""
    found = [(place, value[name]) for place, value in enumerate(values or [], 1) if isinstance(value, dict) and name in value]
    if not found:
        return NOT_MINE
    return first(Violation(expected, f"{what} {place}: {shorten(value)}") for place, value in found if not good(value))


def good_logprob(value: Any) -> bool:
    """A number, and not above zero by more than rounding."""
    return is_number(value) and value <= 1e-3


def good_id(value: Any) -> bool:
    return is_integer(value) and value >= 0


def told_token(value: Any, what: str) -> Violation | None:
    """A token as the page writes it: all four fields, each of its type."""
    missing = has_fields(value, TOKEN_FIELDS, what)
    if missing:
        return missing
    good = {
        "id": good_id(value["id"]),
        "logprob": is_number(value["logprob"]),
        "special": isinstance(value["special"], bool),
        "text": isinstance(value["text"], str),
    }
    types = {"id": "an integer", "logprob": "a number", "special": "a boolean", "text": "a string"}
    return first(Violation(f"`{name}` of {what} is {types[name]}", shorten(value[name])) for name, ok in good.items() if not ok)


def ids(seen: Observation) -> list[Any] | None:
    return None if seen.tokens is None else [token.get("id") for token in seen.tokens]


def logprobs_of(tokens: object) -> list[float]:
    """The logprobs of tokens; none where one of them is no number."""
    return numbers(token.get("logprob") for token in objects(tokens)) or []


def is_greedy(seen: Observation) -> bool:
    """Whether each token is the likeliest one for certain: no sampling parameter at all."""
    drawing = ("temperature", "top_k", "top_p", "typical_p", "best_of", "watermark")
    return seen.asked.get("do_sample") is False and all(seen.asked.get(name) is None for name in drawing)


def near_tie(one: Observation, other: Observation) -> bool:
    """Whether two generations part at a place where both candidates are about equally likely, as noise of arithmetic may decide.

    Where one of them tells no tokens, the candidates of the other at the place where the texts part say so.
    """
    if one.tokens is None or other.tokens is None:
        return _parts_at_a_tie(one, other.new_text or "") or _parts_at_a_tie(other, one.new_text or "")
    for left, right in zip(one.tokens or [], other.tokens or [], strict=False):
        if left.get("id") != right.get("id"):
            a, b = left.get("logprob"), right.get("logprob")
            return is_number(a) and is_number(b) and max(a, b) < -math.log(2) + NEAR_TIE and abs(a - b) <= NEAR_TIE
    return False


def _parts_at_a_tie(seen: Observation, text: str) -> bool:
    """Whether another candidate may be about as likely where ``seen`` no longer goes along with ``text``.

    Tokens just before that place that show nothing, as a part of a character and a special token do, may be where it was.
    """
    written, since = "", 0
    for place, token in enumerate(seen.tokens or []):
        shown = "" if token.get("special") is True else str(token.get("text"))
        written += shown
        if not text.startswith(written):
            return any(_is_tie(seen, number) for number in range(since, place + 1))
        if shown:
            since = place + 1
    return any(_is_tie(seen, number) for number in range(since, len(seen.tokens or [])))


def _is_tie(seen: Observation, place: int) -> bool:
    """Whether the two likeliest candidates at a place, or its token and another that may be there, are about equally likely."""
    told, own = seen.top_tokens or [], (seen.tokens or [])[place].get("logprob")
    ranked = sorted(by_id(told[place]).values(), reverse=True) if place < len(told) else []
    if len(ranked) > 1:
        return ranked[0] - ranked[1] <= NEAR_TIE
    return is_number(own) and own < -math.log(2) + NEAR_TIE


def logprobs_differ(one: Observation, other: Observation) -> Violation | None:
    """The first token that both generated behind the same tokens with another logprob."""
    for place, (left, right) in enumerate(zip(one.tokens or [], other.tokens or [], strict=False), 1):
        a, b = left.get("logprob"), right.get("logprob")
        if left.get("id") != right.get("id"):
            return None
        if is_number(a) and is_number(b) and abs(a - b) > REPEATED_TOLERANCE:
            return Violation(f"logprob {a} of token {place}", f"{b}")
    return None


Parting = Callable[[Observation, Observation], int | None]


def parting(one: Observation, other: Observation) -> int | None:
    """The place, from 1, at which two generations part; None where they do not. By their texts where no ids are told."""
    if ids(one) is None or ids(other) is None:
        return parting_text(one, other)
    pairs = zip_longest(ids(one) or [], ids(other) or [], fillvalue=MISSING)
    return next((place for place, (left, right) in enumerate(pairs, 1) if left != right), None)


def parting_text(one: Observation, other: Observation) -> int | None:
    """As ``parting``, by the texts: four characters for a token."""
    left, right = one.new_text, other.new_text
    if left is None or right is None:
        return None  # another clause's
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
    return None if left == right else 1 + same // 4


def same_draws(group: Group, names: tuple[str, str], place_of: Parting = parting) -> Outcome:
    """Pairs of the same draw: how many part, and how early, is more than rounding explains (``statistics.log_e_of_partings``)."""
    if not group.all_generated:
        return Skip("one of the requests that draw was not answered with text")
    pairs = list(zip(group.members[::2], group.members[1::2], strict=True))
    places = [place_of(one, other) for one, other in pairs]
    evidence = log_e_of_partings(places)
    if evidence > ENOUGH:
        one, other = next(pair for pair, place in zip(pairs, places, strict=True) if place)
        count = sum(place is not None for place in places)
        return Violation(
            f"the text of {names[0]}: {shorten(one.new_text)}",
            f"{names[1]}, as in {count} of {len(pairs)} pairs: {shorten(other.new_text)}",
        )
    if not any(places):
        return None
    return Skip(
        f"{sum(place is not None for place in places)} of {len(pairs)} pairs part, which rounding may do", inconclusive=True
    )


def same_pair(pair: Group, names: tuple[str, str]) -> Outcome:
    """The first two members generated the same text. Where they did not, both were asked again, and must have repeated themselves."""
    one, other, *again = pair.members
    if any(once.new_text != twice.new_text for once, twice in zip(pair.members, again, strict=False)):
        return Skip("the endpoint does not repeat itself, so that nothing can be compared", inconclusive=True)
    return same_text(one, other, names)


def same_text(one: Observation, other: Observation, names: tuple[str, str]) -> Outcome:
    """Both generated the same text, or parted at a near tie, which is not judged; nor is one pair of draws (``same_draws``)."""
    if not (one.generated and other.generated):
        return Skip("one of the two requests was not answered with text")
    if one.new_text is None or other.new_text is None:
        return Skip("one of the two replies has no generated_text")
    if one.new_text == other.new_text and (ids(one) is None or ids(other) is None or ids(one) == ids(other)):
        return None
    if near_tie(one, other):
        return Skip(
            "the two part at a token where the two likeliest are equally likely, which rounding may decide", inconclusive=True
        )
    if one.asked.samples and other.asked.samples and (ids(one) is None or ids(one) != ids(other)):
        return Skip("two runs of one draw part, which rounding may do: it is judged over several", inconclusive=True)
    if one.new_text == other.new_text:
        return Violation(f"the token ids of {names[0]}: {shorten(ids(one))}", f"{names[1]}: {shorten(ids(other))}")
    return Violation(f"the text of {names[0]}: {shorten(one.new_text)}", f"{names[1]}: {shorten(other.new_text)}")


# ---------------------------------------------------------------- what the reported logprobs are
#
# Two conventions exist among real servers, and the page names neither: logprobs of the final distribution (behind temperature, top_k,
# top_p, typical_p), or raw ones (before). One request tells which: under `top_k` 1 a final logprob is 0, as one token is left.
# Where it is final, a parameter that leaves the reported logprobs as they were was ignored, and no statistics are needed.
def reports_final_logprobs(one_left: Observation, greedy: Observation) -> bool:
    """Whether a request whose parameters leave one token, as `top_k` 1 does, tells the logprob of a token that is the only one: 0.

    ``greedy``, on the same prompt, shows that the likeliest token is not that likely by itself.
    """
    logprobs = numbers(token.get("logprob") for token in one_left.tokens or [])
    likeliest = (greedy.tokens or [{}])[0].get("logprob")
    return logprobs is not None and min(logprobs) > -1e-3 and is_number(likeliest) and likeliest < -NEAR_TIE


def first_candidates(seen: Observation) -> dict[int, float]:
    """id -> logprob of the candidates for the first token."""
    return by_id((seen.top_tokens or [[]])[0])


def by_id(candidates: list[Json]) -> dict[int, float]:
    """id -> logprob of the candidates that tell both as they should."""
    told = ((token.get("id"), token.get("logprob")) for token in candidates)
    return {id: float(value) for id, value in told if is_integer(id) and is_number(value) and value <= ABOVE_ZERO}


def first_id(seen: Observation) -> int:
    """The id of the first token; -1, which no law tells, when there is none."""
    id = (seen.tokens or [{}])[0].get("id")
    return id if is_integer(id) else -1


class Place(NamedTuple):
    """One place of two generations, the same tokens before it in both: what each chose there, and the logprobs of its candidates."""

    number: int
    token: int
    other: int
    before: dict[int, float]
    after: dict[int, float]


def same_contexts(one: Observation, other: Observation) -> Iterator[Place]:
    """Each place up to the first where the two chose different tokens."""
    rows = zip(one.tokens or [], other.tokens or [], one.top_tokens or [], other.top_tokens or [], strict=False)
    for number, (token, other_token, candidates, other_candidates) in enumerate(rows, 1):
        id, other_id = token.get("id"), other_token.get("id")
        if not is_integer(id) or not is_integer(other_id):
            return
        yield Place(number, id, other_id, by_id(candidates), by_id(other_candidates))
        if id != other_id:
            return


def candidates_differ(place: int, one: list[Json], other: list[Json], where: str) -> Violation | None:
    """Each list holds what is clearly likelier than the last of the other, and tells the same logprob of what both hold."""
    left, right = by_id(one), by_id(other)
    if len(left) < len(one) or len(right) < len(other):
        same = [token.get("id") for token in one] == [token.get("id") for token in other]
        return None if same else Violation(f"the candidates of token {place} {where}: {shorten(one)}", shorten(other))
    for mine, theirs in ((left, right), (right, left)):
        clear = min(theirs.values(), default=math.inf) + REPEATED_TOLERANCE
        if any(value > clear and id not in theirs for id, value in mine.items()) or bool(mine) != bool(theirs):
            return Violation(f"the candidates of token {place} {where}: {shorten(one)}", shorten(other))
    differing = [id for id in left.keys() & right.keys() if abs(left[id] - right[id]) > REPEATED_TOLERANCE]
    if not differing:
        return None
    id = differing[0]
    return Violation(f"logprob {left[id]} of candidate {id} of token {place}, as {where}", f"{right[id]}")
