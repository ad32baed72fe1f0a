"""Clauses of twins, the same request plain and as a stream: a stream says what the reply without stream says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    NOT_MINE,
    REPEATED_TOLERANCE,
    candidates_differ,
    ids,
    parting,
    parting_text,
    same_draws,
    same_text,
)
from contract_tests.observation import Group, Observation
from contract_tests.values import MISSING, is_number, shorten


def plain_and_stream(judge: Callable[[Observation, Observation], Outcome]) -> Callable[[Group], Outcome]:
    """``judge`` sees the plain reply and the stream of a twin whose plain request repeats itself.

    The third member, when there is one, is its repetition.
    """

    @wraps(judge)
    def judge_twin(twin: Group) -> Outcome:
        plain, stream, *again = twin.members
        if not (plain.generated and stream.generated and stream.is_stream and not plain.is_stream):
            return Skip("one of the two requests was not answered with text")
        if again and again[0].new_text != plain.new_text:
            return Skip("the endpoint does not repeat itself (judged by parameters.seed.repeats and parameters.do_sample.greedy)")
        return judge(plain, stream)

    return judge_twin


@clause("stream.same-text", of="twin")
@plain_and_stream
def stream_has_the_same_text(plain: Observation, stream: Observation) -> Outcome:
    if plain.generated_text is None or stream.generated_text is None:
        return NOT_MINE
    if plain.generated_text == stream.generated_text:
        return None
    outcome = same_text(plain, stream, ("the reply without stream", "of the stream"))
    if outcome is not None:
        return outcome
    return Violation(
        f"`generated_text` of the reply without stream: {shorten(plain.generated_text)}", shorten(stream.generated_text)
    )


@clause("stream.same-text", of="seeded-twins")
def stream_draws_the_same_text(group: Group) -> Outcome:
    return same_draws(group, ("the reply without stream", "of the stream"), parting_text)


@clause("stream.same-tokens", of="seeded-twins")
def stream_draws_the_same_tokens(group: Group) -> Outcome:
    return same_draws(group, ("the reply without stream", "of the stream"))


@clause("stream.same-tokens", of="twin")
@plain_and_stream
def stream_has_the_same_tokens(plain: Observation, stream: Observation) -> Outcome:
    if plain.tokens is None or stream.tokens is None:
        return NOT_MINE
    fields = ("id", "text", "special")
    told, streamed = ([[token.get(name) for name in fields] for token in seen.tokens or []] for seen in (plain, stream))
    if told == streamed:
        return None
    if ids(plain) != ids(stream):
        outcome = same_text(plain, stream, ("the reply without stream", "of the stream"))
        if isinstance(outcome, Skip):
            return outcome
    place = next((n for n, (a, b) in enumerate(zip(told, streamed, strict=False)) if a != b), min(len(told), len(streamed)))
    return Violation(
        f"token {place + 1} of {len(told)} as without stream: {shorten(told[place : place + 1])}",
        f"of {len(streamed)}: {shorten(streamed[place : place + 1])}",
    )


def _differences(left: list[Any], right: list[Any], what: str) -> Iterator[Violation | None]:
    """For each that both tell, behind the same ones, whether its logprob is another."""
    for place, (one, other) in enumerate(zip(left, right, strict=False), 1):
        a, b = one.get("logprob"), other.get("logprob")
        if one.get("id") != other.get("id"):
            return  # behind other tokens the next are others too
        if is_number(a) and is_number(b):
            yield (
                Violation(f"logprob {a} of {what} {place}, as without stream", f"{b}") if abs(a - b) > REPEATED_TOLERANCE else None
            )


def _found(differences: list[Violation | None], seen: Observation) -> Outcome:
    """The first difference; where a nucleus has an edge that rounding may move now and then, only if half of the places differ."""
    found = [difference for difference in differences if difference]
    edged = any(seen.asked.get(name) is not None for name in ("top_p", "typical_p"))
    if not found or not edged or len(found) >= max(2, len(differences) / 2):
        return found[0] if found else None
    return Skip("few places differ, which rounding at the edge of a nucleus may do", inconclusive=True)


@clause("stream.same-logprobs", of="twin")
@plain_and_stream
def stream_has_the_same_logprobs(plain: Observation, stream: Observation) -> Outcome:
    if not plain.tokens or not stream.tokens:
        return NOT_MINE
    return _found(list(_differences(plain.tokens, stream.tokens, "token")), plain)


@clause("stream.same-top-tokens", of="twin")
@plain_and_stream
def stream_has_the_same_top_tokens(plain: Observation, stream: Observation) -> Outcome:
    if plain.top_tokens is None or stream.top_tokens is None:
        return NOT_MINE
    if len(plain.top_tokens) != len(stream.top_tokens) and ids(plain) == ids(stream):
        return Violation(f"`top_tokens` for {len(plain.top_tokens)} tokens, as without stream", f"for {len(stream.top_tokens)}")
    same = parting(plain, stream) or len(plain.top_tokens)  # the place where they part still follows the same tokens
    places = list(zip(plain.top_tokens, stream.top_tokens, strict=False))[:same]
    return _found([candidates_differ(place, one, other, "without stream") for place, (one, other) in enumerate(places, 1)], plain)


@clause("stream.same-details", of="twin")
@plain_and_stream
def stream_has_the_same_details(plain: Observation, stream: Observation) -> Outcome:
    if plain.details is None or stream.details is None or plain.new_text != stream.new_text:
        return NOT_MINE
    for name in ("finish_reason", "generated_tokens", "seed"):
        one, other = plain.detail(name), stream.detail(name)
        if one is not MISSING and other is not MISSING and one != other:
            return Violation(f"`{name}` {shorten(one)}, as without stream", shorten(other))
    return None
