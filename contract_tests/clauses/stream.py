"""Clauses of the stream: its framing, its events, and that it says what the reply without stream says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    LOGPROB_TOLERANCE,
    NOT_MINE,
    by_id,
    first,
    has_fields,
    ids,
    is_list,
    parting,
    parting_text,
    same_draws,
    same_text,
    told_token,
)
from contract_tests.observation import MISSING, Group, Json, Observation, is_integer, is_number, shorten

SEPARATORS = ("\u2028", "\u2029", "\u0085")
DETAIL_FIELDS = ("finish_reason", "generated_tokens", "input_length")


def _asked_for_stream(seen: Observation) -> bool:
    """A whole answer to a valid request for a stream."""
    return seen.status == 200 and seen.asked.stream and not seen.case.faulty


# ---------------------------------------------------------------- the stream itself
@clause("stream.content-type")
def stream_says_what_it_is(seen: Observation) -> Outcome:
    if not _asked_for_stream(seen):
        return NOT_MINE
    if seen.media_type == "text/event-stream":
        return None
    return Violation("content type text/event-stream", seen.exchange.header("content-type") or "no content type")


@clause("stream.framing")
def stream_is_framed_as_the_standard_says(seen: Observation) -> Outcome:
    if not seen.is_stream or seen.exchange.failure:
        return NOT_MINE
    problems = seen.decoded.problems
    return Violation("an event stream as the standard writes it", problems[0]) if problems else None


@clause("stream.line-separators")
def no_raw_line_separators(seen: Observation) -> Outcome:
    if not seen.is_stream:
        return NOT_MINE
    raw = [event.data for event in seen.decoded.events if any(separator in event.data for separator in SEPARATORS)]
    if raw:
        return Violation("U+2028, U+2029 and U+0085 escaped", shorten(raw[0]))
    return None if any(separator in (seen.generated_text or "") for separator in SEPARATORS) else NOT_MINE


@clause("stream.one-line")
def data_stands_on_one_line(seen: Observation) -> Outcome:
    if not seen.is_stream or not seen.decoded.events:
        return NOT_MINE
    folded = [event.data for event in seen.decoded.events if "\n" in event.data]
    return Violation("each event's data on one line", shorten(folded[0])) if folded else None


@clause("stream.events")
def each_event_is_a_token(seen: Observation) -> Outcome:
    if not _asked_for_stream(seen) or not seen.is_stream:
        return NOT_MINE
    for place, (event, value) in enumerate(zip(seen.decoded.events, seen.event_values, strict=True), 1):
        if not isinstance(value, dict) or "token" not in value:
            return Violation("events of one JSON object with a `token`", f"event {place}: {shorten(event.data)}")
    ends = [place for place, value in enumerate(seen.events, 1) if isinstance(value.get("generated_text"), str)]
    if ends and ends[0] < len(seen.events) and not _on_every_event(seen):
        return Violation("nothing behind the event that holds `generated_text`", f"{len(seen.events) - ends[0]} more events")
    return None


def _on_every_event(seen: Observation) -> bool:
    return all(isinstance(value.get("generated_text"), str) for value in seen.events)


@clause("stream.complete")
def stream_is_not_cut(seen: Observation) -> Outcome:
    if not _asked_for_stream(seen) or not seen.is_stream:
        return NOT_MINE
    if seen.exchange.failure:
        return Violation("a stream that ends by itself", seen.exchange.failure)
    if not seen.events:
        return Violation("at least one event with a token", seen.brief)
    if isinstance(seen.last.get("generated_text"), str):
        return None
    return Violation("`generated_text` on the last event", f"the last event: {shorten(seen.decoded.events[-1].data)}")


@clause("stream.incremental", of="arrival")
def tokens_come_as_they_are_generated(group: Group) -> Outcome:
    """Streams of one token and of many, in turns: what a queue or a busy machine delays, it delays in both.

    Judged where the many take long enough to be seen. All rounds must agree, so that no single delay accuses.
    """
    short, long = group.members[::2], group.members[1::2]
    if not group.all_generated or any(len(seen.decoded.events) < 8 for seen in long):
        return Skip("no stream of eight tokens came")
    if any(_comes_bit_by_bit(seen) for seen in long):
        return None
    if any(not late_at_once(one, many) for one, many in zip(short, long, strict=True)):
        return Skip("generation is too fast here to see whether tokens come one by one")
    told = long[-1].decoded.events
    return Violation(
        f"the first token of many about as soon as one alone, which takes {short[-1].decoded.events[-1].at:.2f} s",
        f"all {len(told)} events within {told[-1].at - told[0].at:.3f} s, after {told[0].at:.2f} s, {len(long)} times of {len(long)}",
    )


VISIBLE = 0.4
"""Seconds between a stream of one token and the first event of many, from which something else than noise holds the many back."""


def _comes_bit_by_bit(seen: Observation) -> bool:
    first_at, last_at = seen.decoded.events[0].at, seen.decoded.events[-1].at
    return last_at >= VISIBLE and last_at - first_at >= 0.1 * last_at


def late_at_once(one: Observation, many: Observation) -> bool:
    """Whether the many tokens came together, long after one token alone would have come."""
    if not one.decoded.events or not many.decoded.events:
        return False
    first_at, last_at = many.decoded.events[0].at, many.decoded.events[-1].at
    return last_at - first_at < 0.1 * last_at and first_at > 2 * one.decoded.events[-1].at + VISIBLE


# ---------------------------------------------------------------- its events
def _stream_events(seen: Observation) -> list[dict[str, Any]]:
    return seen.events if seen.generated and seen.is_stream else []


@clause("stream.token.type")
def event_token_has_all_fields(seen: Observation) -> Outcome:
    events = _stream_events(seen)
    if not events:
        return NOT_MINE
    return first(told_token(event["token"], f"`token` of event {place}") for place, event in enumerate(events, 1))


@clause("stream.index.type")
def index_is_an_integer(seen: Observation) -> Outcome:
    events = _stream_events(seen)
    if not events:
        return NOT_MINE
    wrong = [event.get("index", MISSING) for event in events if not is_integer(event.get("index"))]
    return Violation("`index`, an integer", shorten(wrong[0])) if wrong else None


@clause("stream.index.counts")
def index_counts_from_one(seen: Observation) -> Outcome:
    indices = [event.get("index") for event in _stream_events(seen)]
    if not indices or not all(is_integer(index) for index in indices):
        return NOT_MINE
    expected = list(range(1, len(indices) + 1))
    return None if indices == expected else Violation(f"index {shorten(expected)}", shorten(indices))


@clause("stream.generated_text.last")
def only_the_last_event_holds_the_text(seen: Observation) -> Outcome:
    events = _stream_events(seen)
    if not events:
        return NOT_MINE
    if not isinstance(seen.last.get("generated_text"), str):
        return Violation("`generated_text`, a string, on the last event", shorten(seen.last.get("generated_text", MISSING)))
    early = [
        (place, event["generated_text"]) for place, event in enumerate(events[:-1], 1) if event.get("generated_text") is not None
    ]
    return (
        Violation("`generated_text` on the last event only", f"on event {early[0][0]}: {shorten(early[0][1])}") if early else None
    )


@clause("stream.details.type")
def stream_details_have_their_fields(seen: Observation) -> Outcome:
    told = [event["details"] for event in _stream_events(seen) if event.get("details") is not None]
    if not told:
        return NOT_MINE
    return first(has_fields(value, ("finish_reason", "generated_tokens"), "`details`") for value in told)


@clause("stream.details.input_length")
def input_length_is_an_integer(seen: Observation) -> Outcome:
    if not _stream_events(seen) or seen.details is None:
        return NOT_MINE
    value = seen.detail("input_length")
    if not is_integer(value) or value < 0:
        return Violation("`input_length`, an integer", shorten(value))
    if value == 0 and seen.asked.inputs:
        return Violation("`input_length`, the number of tokens of a prompt that is not empty", "0")
    return None


@clause("stream.details.input_length", of="prefill-and-stream")
def input_length_is_that_of_the_prefill(pair: Group) -> Outcome:
    """The same prompt: plain with its tokens told, and as a stream."""
    plain, stream = pair.members
    prefill, told = plain.detail("prefill"), stream.detail("input_length")
    if not (pair.all_generated and isinstance(prefill, list) and prefill and is_integer(told)):
        return Skip("the endpoint does not tell the prompt's tokens")
    return (
        None
        if told == len(prefill)
        else Violation(f"`input_length` {len(prefill)}: so many tokens has the prompt in `prefill`", f"{told}")
    )


@clause("stream.disconnect", of="after-disconnect")
def server_goes_on_after_a_client_left(pair: Group) -> Outcome:
    before, after = pair.members
    if not before.generated:
        return Skip("the request was not answered before either")
    return None if after.generated else Violation("status 200 and generated text, as before the client left", after.brief)


@clause("stream.details.last")
def details_stand_on_the_last_event(seen: Observation) -> Outcome:
    events = _stream_events(seen)
    if not events or not seen.asked.details:
        return NOT_MINE
    if not isinstance(seen.last.get("details"), dict):
        return Violation("`details` on the last event: they were asked", shorten(seen.last.get("details", MISSING)))
    early = [place for place, event in enumerate(events[:-1], 1) if event.get("details") is not None]
    return Violation("`details` on the last event only", f"on event {early[0]}") if early else None


@clause("stream.details.absent")
def no_details_unless_asked(seen: Observation) -> Outcome:
    events = _stream_events(seen)
    if not events or seen.asked.details:
        return NOT_MINE
    told = [event["details"] for event in events if event.get("details") is not None]
    return Violation("no `details`: they were not asked", shorten(told[0])) if told else None


@clause("stream.top_tokens.type")
def stream_top_tokens_are_flat(seen: Observation) -> Outcome:
    told = [event["top_tokens"] for event in _stream_events(seen) if event.get("top_tokens") is not None]
    if not told:
        return NOT_MINE
    wrong = first(is_list(value, "`top_tokens` of an event") for value in told)
    return wrong or first(told_token(token, "a token of `top_tokens`") for value in told for token in value)


# ---------------------------------------------------------------- twins: the same request with and without stream
def _pair(twin: Group) -> tuple[Observation, Observation] | Skip:
    """Both members of a twin whose plain request repeats itself; the third member, when there is one, is its repetition."""
    plain, stream, *again = twin.members
    if not (plain.generated and stream.generated and stream.is_stream and not plain.is_stream):
        return Skip("one of the two requests was not answered with text")
    if again and again[0].new_text != plain.new_text:
        return Skip("the endpoint does not repeat itself (judged by parameters.seed.repeats and parameters.do_sample.greedy)")
    return plain, stream


@clause("stream.same-text", of="twin")
def stream_has_the_same_text(twin: Group) -> Outcome:
    pair = _pair(twin)
    if isinstance(pair, Skip):
        return pair
    plain, stream = pair
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
def stream_has_the_same_tokens(twin: Group) -> Outcome:
    pair = _pair(twin)
    if isinstance(pair, Skip):
        return pair
    plain, stream = pair
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
                Violation(f"logprob {a} of {what} {place}, as without stream", f"{b}") if abs(a - b) > LOGPROB_TOLERANCE else None
            )


def _found(differences: list[Violation | None], seen: Observation) -> Outcome:
    """The first difference; where a nucleus has an edge that rounding may move now and then, only if half of the places differ."""
    found = [difference for difference in differences if difference]
    edged = any(seen.asked.get(name) is not None for name in ("top_p", "typical_p"))
    if not found or not edged or len(found) >= max(2, len(differences) / 2):
        return found[0] if found else None
    return Skip("few places differ, which rounding at the edge of a nucleus may do", inconclusive=True)


@clause("stream.same-logprobs", of="twin")
def stream_has_the_same_logprobs(twin: Group) -> Outcome:
    pair = _pair(twin)
    if isinstance(pair, Skip):
        return pair
    plain, stream = pair
    if not plain.tokens or not stream.tokens:
        return NOT_MINE
    return _found(list(_differences(plain.tokens, stream.tokens, "token")), plain)


@clause("stream.same-top-tokens", of="twin")
def stream_has_the_same_top_tokens(twin: Group) -> Outcome:
    pair = _pair(twin)
    if isinstance(pair, Skip):
        return pair
    plain, stream = pair
    if plain.top_tokens is None or stream.top_tokens is None:
        return NOT_MINE
    if len(plain.top_tokens) != len(stream.top_tokens) and ids(plain) == ids(stream):
        return Violation(f"`top_tokens` for {len(plain.top_tokens)} tokens, as without stream", f"for {len(stream.top_tokens)}")
    same = parting(plain, stream) or len(plain.top_tokens)  # the place where they part still follows the same tokens
    places = list(zip(plain.top_tokens, stream.top_tokens, strict=False))[:same]
    return _found([_rivals_differ(place, one, other) for place, (one, other) in enumerate(places, 1)], plain)


def _rivals_differ(place: int, one: list[Json], other: list[Json]) -> Violation | None:
    """Each list holds what is clearly likelier than the last of the other, and tells the same logprob of what both hold."""
    left, right = by_id(one), by_id(other)
    if len(left) < len(one) or len(right) < len(other):
        same = [token.get("id") for token in one] == [token.get("id") for token in other]
        return None if same else Violation(f"the candidates of token {place} without stream: {shorten(one)}", shorten(other))
    for mine, theirs in ((left, right), (right, left)):
        clear = min(theirs.values(), default=math.inf) + 2 * LOGPROB_TOLERANCE
        if any(value > clear and id not in theirs for id, value in mine.items()) or bool(mine) != bool(theirs):
            return Violation(f"the candidates of token {place} without stream: {shorten(one)}", shorten(other))
    differing = [id for id in left.keys() & right.keys() if abs(left[id] - right[id]) > LOGPROB_TOLERANCE]
    if not differing:
        return None
    id = differing[0]
    return Violation(f"logprob {left[id]} of candidate {id} of token {place}, as without stream", f"{right[id]}")


@clause("stream.same-details", of="twin")
def stream_has_the_same_details(twin: Group) -> Outcome:
    pair = _pair(twin)
    if isinstance(pair, Skip):
        return pair
    plain, stream = pair
    if plain.details is None or stream.details is None or plain.new_text != stream.new_text:
        return NOT_MINE
    for name in ("finish_reason", "generated_tokens", "seed"):
        one, other = plain.detail(name), stream.detail(name)
        if one is not MISSING and other is not MISSING and one != other:
            return Violation(f"`{name}` {shorten(one)}, as without stream", shorten(other))
    return None
