"""Clauses of the stream: its framing, its events, and when they come."""

from __future__ import annotations

from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    NOT_MINE,
    first,
    has_fields,
    is_list,
    told_token,
)
from contract_tests.observation import Group, Observation
from contract_tests.values import MISSING, is_integer, repeated_name, shorten

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
    return Violation("content type text/event-stream", seen.media_type or "no content type")


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
        if twice := repeated_name(event.data):
            return Violation("each name once in an object: readers disagree about the second", f"event {place}: `{twice}` twice")
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
