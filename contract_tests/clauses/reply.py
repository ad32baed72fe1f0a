"""Clauses of the reply without stream: JSON, an object, `generated_text`, `details`."""

from __future__ import annotations

from contract_tests.clauses.registry import Outcome, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, same_pair
from contract_tests.observation import Group, Observation
from contract_tests.values import CUT, MISSING, repeated_name, shorten


def _plain(seen: Observation) -> bool:
    """A whole answer to a valid request without stream."""
    return seen.answered and not seen.case.faulty and not seen.asked.stream and not seen.is_stream


@clause("reply.json")
def plain_reply_is_json(seen: Observation) -> Outcome:
    if not _plain(seen):
        return NOT_MINE
    if seen.document is MISSING:
        return Violation("a body that is JSON", seen.brief)
    if not seen.is_json:
        return Violation("content type application/json", f"content type {seen.media_type or 'not sent'}")
    twice = repeated_name(seen.exchange.content)
    return Violation("each name once in an object: readers disagree about the second", f"`{twice}` twice") if twice else None


@clause("reply.object")
def plain_reply_is_an_object(seen: Observation) -> Outcome:
    if not _plain(seen) or seen.document is MISSING:
        return NOT_MINE
    return None if isinstance(seen.document, dict) else Violation("a JSON object", shorten(seen.document))


@clause("reply.list")
def plain_reply_is_a_list_of_one(seen: Observation) -> Outcome:
    if not _plain(seen) or seen.document is MISSING:
        return NOT_MINE
    value = seen.document
    good = isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)
    return None if good else Violation("a list of one JSON object", shorten(value))


@clause("reply.generated_text.type")
def generated_text_is_a_string(seen: Observation) -> Outcome:
    if not _plain(seen) or seen.document is MISSING:
        return NOT_MINE
    value = seen.reply.get("generated_text", MISSING)
    return (
        None
        if isinstance(value, str)
        else Violation("`generated_text`, a string", shorten(value) if value is not MISSING else seen.brief)
    )


@clause("reply.details.type")
def details_are_an_object(seen: Observation) -> Outcome:
    if not _plain(seen) or seen.reply.get("details") is None:
        return NOT_MINE
    value = seen.reply["details"]
    return None if isinstance(value, dict) else Violation("`details`, an object", shorten(value))


@clause("reply.no-replacement-characters")
def characters_come_whole(seen: Observation) -> Outcome:
    """U+FFFD in the tokens' texts where the whole text has none: tokens were decoded one by one. Or in the prompt as it comes back."""
    text = seen.generated_text
    if not seen.generated or text is None:
        return NOT_MINE
    torn_in_two = [value for value in (text, *(token.get("text") for token in seen.tokens or [])) if _has_surrogate(value)]
    if torn_in_two:
        return Violation("characters that come whole", shorten(torn_in_two[0]))
    echo = text[: len(seen.asked.inputs)] if seen.asked.get("return_full_text") is True else ""
    if CUT in echo and CUT not in seen.asked.inputs:
        return Violation(f"the prompt's characters whole: {shorten(seen.asked.inputs)}", shorten(echo))
    torn = [token.get("text") for token in seen.tokens or [] if CUT in str(token.get("text"))]
    if torn and CUT not in text:
        return Violation(f"characters that come whole with the token that completes them, as in {shorten(text)}", shorten(torn))
    return None if not (echo + (seen.joined or "")).isascii() else NOT_MINE


def _has_surrogate(value: object) -> bool:
    """Whether half of a UTF-16 pair stands alone in a text: JSON can write it, no text can hold it."""
    return isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value)


@clause("reply.independent", of="among-others")
def reply_does_not_depend_on_its_neighbours(pair: Group) -> Outcome:
    """The same request alone, and at the same time as others; where the two differ, alone once more, which must repeat itself."""
    return same_pair(pair, ("the request alone", "of the same request among others"))
