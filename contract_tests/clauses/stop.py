"""Clauses of `stop`: it ends the generation where it occurs, as text, and nowhere else."""

from __future__ import annotations

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, same_pair, same_text
from contract_tests.observation import Group, Observation
from contract_tests.values import shorten


def _stopped_at(texts: list[str], stop: list[str]) -> int | None:
    """How many tokens it takes until the joined text ends with a member of ``stop``; None when it never does."""
    joined = ""
    for count, text in enumerate(texts, 1):
        joined += text
        if text and any(joined.endswith(member) for member in stop):
            return count
    return None


def _texts(seen: Observation) -> list[str] | None:
    values = [("" if token.get("special") is True else token.get("text")) for token in seen.tokens or []]
    return values if values and all(isinstance(value, str) for value in values) else None  # type: ignore[return-value]


@clause("parameters.stop.stops")
def nothing_follows_a_stop_sequence(seen: Observation) -> Outcome:
    texts = _texts(seen)
    if not (seen.generated and seen.asked.stop and texts):
        return NOT_MINE
    stopped = _stopped_at(texts, seen.asked.stop)
    if stopped is None:
        return NOT_MINE
    if not any(texts[stopped:]):
        return None
    return Violation(f"no token behind {shorten(''.join(texts[:stopped]))}", shorten("".join(texts[stopped:])))


@clause("parameters.stop.stops", of="stop")
def stop_ends_the_generation_where_it_occurs(pair: Group) -> Outcome:
    """Of a request that repeats itself: without `stop`, then with one of the texts that it generates."""
    without, stopped = pair.members
    if not pair.all_generated or without.new_text is None or stopped.new_text is None:
        return Skip("one of the two requests was not answered with text")
    whole, texts, stop = without.new_text, _texts(without), stopped.asked.stop
    if not any(member in whole for member in stop):  # a stop sequence that does not occur changes nothing
        return same_text(without, stopped, ("the request without `stop`", "with members that are not generated"))
    first = min((place, member) for member in stop if (place := whole.find(member)) >= 0)
    ends = _ends(whole, texts, stop)
    if not ends:
        return Skip("it never ends with a token (judged by parameters.stop.inside-token)")
    with_it = whole[: first[0] + len(first[1])]
    longest = max((len(text) for text in texts or []), default=16)
    if stopped.new_text.startswith(with_it) and len(stopped.new_text) - len(with_it) <= longest:
        return None  # it stops inside a token, and tells the whole of that token or not
    if stopped.new_text in {whole[: first[0]], *ends}:
        return None
    if near_parting(without, stopped):
        return Skip("the two part before the stop sequence", inconclusive=True)
    return Violation(f"text that ends where {shorten(first[1])} is generated: {shorten(with_it)}", shorten(stopped.new_text))


def _ends(whole: str, texts: list[str] | None, stop: list[str]) -> set[str]:
    """Texts of servers that see ``stop`` only where a token ends, with the sequence or without; a newline may end the token behind it.

    Where no token is told, any place may end a token; where none ends so, nothing is due.

    >>> sorted(_ends("one o", ["one", " o"], ["o"]))
    ['one ', 'one o']
    """
    if texts is None:
        ends = {(place + len(member), member) for member in stop for place in range(len(whole)) if whole.startswith(member, place)}
        return {whole[:end] for end, _ in ends} | {whole[: end - len(member)] for end, member in ends}
    if _stopped_at(texts, stop) is None:
        return set()
    found = set()
    for endings in (stop, [*stop, *(f"{member}\n" for member in stop)]):
        joined = "".join(texts[: _stopped_at(texts, endings)])
        found |= {joined, *(joined.removesuffix(ending) for ending in endings)}
    return found


def near_parting(without: Observation, stopped: Observation) -> bool:
    outcome = same_text(without, stopped, ("", ""))
    return isinstance(outcome, Skip) and outcome.inconclusive


@clause("parameters.stop.inside-token")
def stop_inside_a_token_stops_too(seen: Observation) -> Outcome:
    texts = _texts(seen)
    if not (seen.generated and seen.asked.stop and texts):
        return NOT_MINE
    before_last = "".join(texts).removesuffix(next((text for text in reversed(texts) if text), ""))
    missed = next((member for member in seen.asked.stop if member in before_last), None)
    if missed is None:
        return None if any(member in "".join(texts) for member in seen.asked.stop) else NOT_MINE
    return Violation(f"no token behind the one in which {shorten(missed)} ends", shorten("".join(texts)))


@clause("parameters.stop.literal", of="stop-literal")
def stop_is_text_as_it_stands(pair: Group) -> Outcome:
    """Stop sequences that do not occur as they stand, but do in another case, without their space, or read as an expression."""
    without, stopped, *again = pair.members
    if not pair.all_generated or without.new_text is None or stopped.new_text is None:
        return Skip("one of the two requests was not answered with text")
    if any(member in without.new_text for member in stopped.asked.stop):
        return Skip("the stop sequence occurs")
    return same_pair(
        Group(pair.relation, (without, stopped, *again)), ("the request without `stop`", "with one that does not occur")
    )
