"""Clauses of `details`: each field by itself, and what the fields say about each other. Plain replies and streams alike."""

from __future__ import annotations

import math
from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    LOGPROB_TOLERANCE,
    NOT_MINE,
    all_fields,
    first,
    good_id,
    good_logprob,
    has_fields,
    is_greedy,
    is_list,
    told_token,
)
from contract_tests.observation import MISSING, Observation, is_integer, is_number, numbers, objects, shorten

PENALTIES = ("repetition_penalty", "frequency_penalty")
REASONS = ("length", "eos_token", "stop_sequence")
SEQUENCE_FIELDS = ("finish_reason", "generated_text", "generated_tokens", "prefill", "tokens")


# ---------------------------------------------------------------- best_of_sequences
@clause("details.best_of_sequences.type")
def best_of_sequences_have_their_fields(seen: Observation) -> Outcome:
    value = seen.detail("best_of_sequences")
    if not seen.generated or value is MISSING or value is None:
        return NOT_MINE
    return is_list(value, "`best_of_sequences`") or first(_sequence(item) for item in value)


def _sequence(value: Any) -> Violation | None:
    missing = has_fields(value, SEQUENCE_FIELDS, "a sequence of `best_of_sequences`")
    if missing:
        return missing
    tokens = value["tokens"]
    return (
        _reason(value["finish_reason"])
        or (
            None
            if isinstance(value["generated_text"], str)
            else Violation("`generated_text`, a string", shorten(value["generated_text"]))
        )
        or is_list(tokens, "`tokens` of a sequence")
        or first(told_token(token, "a token of a sequence") for token in tokens)
        or (
            None
            if value["generated_tokens"] == len(tokens) and is_integer(value["generated_tokens"])
            else Violation(f"`generated_tokens` {len(tokens)} in a sequence", shorten(value["generated_tokens"]))
        )
    )


# ---------------------------------------------------------------- finish_reason
def _reason(value: Any) -> Violation | None:
    return None if value in REASONS else Violation(f"one of {', '.join(REASONS)}", shorten(value))


@clause("details.finish_reason.enum")
def finish_reason_is_one_of_three(seen: Observation) -> Outcome:
    if not seen.generated or seen.details is None:
        return NOT_MINE
    if seen.finish_reason is MISSING:
        return Violation("`finish_reason` in `details`", shorten(seen.details))
    return _reason(seen.finish_reason)


@clause("details.finish_reason.length")
def length_means_the_limit_was_reached(seen: Observation) -> Outcome:
    limit = seen.asked.get("max_new_tokens")
    if not seen.generated or seen.finish_reason not in REASONS or seen.count is None or not is_integer(limit):
        return NOT_MINE
    if seen.finish_reason == "length":
        cut = seen.count >= limit
        return None if cut else Violation(f"finish_reason length only after {limit} tokens", f"length after {seen.count} tokens")
    if seen.count == limit and seen.tokens and seen.joined is not None and not _ended_by_itself(seen):
        last = f"the last of {limit} tokens: {shorten(seen.tokens[-1])}"
        return Violation(
            "finish_reason length: the limit was reached, and nothing else ended it", f"{seen.finish_reason}, {last}"
        )
    return NOT_MINE


def _ended_by_itself(seen: Observation) -> bool:
    """Whether the last token is special, or a stop sequence was generated."""
    return (seen.tokens or [{}])[-1].get("special") is True or any(member in (seen.joined or "") for member in seen.asked.stop)


@clause("details.finish_reason.eos_token")
def eos_token_means_the_model_ended(seen: Observation) -> Outcome:
    """A server may keep its end token to itself; then the text is shorter than the limit."""
    limit = seen.asked.get("max_new_tokens")
    if not seen.generated or not seen.tokens or seen.finish_reason not in REASONS:
        return NOT_MINE
    if seen.finish_reason != "eos_token":
        if seen.tokens[-1].get("special") is not True or not is_integer(limit) or len(seen.tokens) >= limit or seen.asked.stop:
            return NOT_MINE
        return Violation("finish_reason eos_token: a special token ended it before the limit", shorten(seen.finish_reason))
    if seen.tokens[-1].get("special") is True:
        return None
    if seen.tokens[-1].get("text") and seen.new_text is not None and seen.new_text == seen.join(len(seen.tokens) - 1):
        return Violation("`special` true on the end token, which is no part of the text", shorten(seen.tokens[-1]))
    hidden = not is_integer(limit) or len(seen.tokens) < limit
    if hidden and not (seen.joined and any(seen.joined.endswith(member) for member in seen.asked.stop)):
        return Skip("the endpoint does not list its end token, so nothing tells whether it came")
    return Violation("finish_reason eos_token only behind a special token", f"the last token: {shorten(seen.tokens[-1])}")


@clause("details.finish_reason.stop_sequence")
def stop_sequence_means_one_was_generated(seen: Observation) -> Outcome:
    if not seen.generated or seen.details is None:
        return NOT_MINE
    if seen.finish_reason == "stop_sequence" and not seen.asked.stop:
        return Violation("finish_reason stop_sequence only when `stop` was sent", "stop_sequence without `stop`")
    if not seen.asked.stop or not seen.joined or not seen.tokens:
        return NOT_MINE
    hit = any(member in seen.joined for member in seen.asked.stop)
    limit = seen.asked.get("max_new_tokens")
    if seen.finish_reason == "stop_sequence":
        if hit or (is_integer(limit) and len(seen.tokens) < limit and seen.tokens[-1].get("special") is not True):
            return None  # a server may cut the stop sequence out of its text
        return Violation(
            f"finish_reason stop_sequence only when one of {shorten(seen.asked.stop)} was generated", shorten(seen.joined)
        )
    ends = any(seen.joined.endswith(member) for member in seen.asked.stop) and seen.tokens[-1].get("special") is not True
    if ends and is_integer(limit) and len(seen.tokens) < limit:
        return Violation(
            f"finish_reason stop_sequence: the text ends with one of {shorten(seen.asked.stop)}", shorten(seen.finish_reason)
        )
    return None if ends else NOT_MINE


# ---------------------------------------------------------------- generated_tokens
@clause("details.generated_tokens.type")
def generated_tokens_is_an_integer(seen: Observation) -> Outcome:
    if not seen.generated or seen.details is None:
        return NOT_MINE
    value = seen.detail("generated_tokens")
    return None if is_integer(value) and value >= 0 else Violation("`generated_tokens`, an integer", shorten(value))


@clause("details.generated_tokens.counts")
def generated_tokens_counts_the_tokens(seen: Observation) -> Outcome:
    value = seen.detail("generated_tokens")
    if not seen.generated or not is_integer(value) or seen.token_values is None:
        return NOT_MINE
    count = len(seen.token_values)
    return None if value == count else Violation(f"`generated_tokens` {count}: as many tokens are told", f"{value}")


# ---------------------------------------------------------------- prefill
@clause("details.prefill.type")
def prefill_has_its_fields(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or seen.details is None:
        return NOT_MINE
    value = seen.detail("prefill")
    if value is MISSING:
        return Violation("`prefill` in `details`", shorten(seen.details))
    return is_list(value, "`prefill`") or first(_prefill_token(item) for item in value)


def _prefill_token(value: Any) -> Violation | None:
    missing = has_fields(value, ("id", "logprob", "text"), "a token of `prefill`")
    if missing:
        return missing
    good = good_id(value["id"]) and isinstance(value["text"], str) and (value["logprob"] is None or is_number(value["logprob"]))
    return None if good else Violation("an integer `id`, a numeric or null `logprob`, a string `text`", shorten(value))


@clause("details.prefill.logprob")
def prefill_logprobs_are_logarithms_of_probabilities(seen: Observation) -> Outcome:
    tokens = objects(seen.detail("prefill"))
    if not seen.generated or not tokens:
        return NOT_MINE
    if all(token.get("logprob") is None for token in tokens[1:]) and len(tokens) > 1:
        return Violation("logprobs behind the first token of `prefill`", "null for all of them")
    numbers = [token["logprob"] for token in tokens if is_number(token.get("logprob"))]
    return first(Violation("no logprob above zero", f"{value} in `prefill`") for value in numbers if not good_logprob(value))


# ---------------------------------------------------------------- seed
@clause("details.seed.type")
def seed_is_an_integer_or_null(seen: Observation) -> Outcome:
    value = seen.detail("seed")
    if not seen.generated or seen.details is None or value is MISSING:
        return NOT_MINE
    return (
        None if value is None or (is_integer(value) and value >= 0) else Violation("`seed`, an integer or null", shorten(value))
    )


@clause("details.seed.given")
def seed_is_the_one_sent(seen: Observation) -> Outcome:
    sent, told = seen.asked.get("seed"), seen.detail("seed")
    if not seen.generated or seen.details is None or not is_integer(sent):
        return NOT_MINE
    if seen.asked.samples:
        return None if told == sent and is_integer(told) else Violation(f"`seed` {sent} in `details`: it was sent", shorten(told))
    return None if told in (None, sent, MISSING) else Violation(f"`seed` {sent} or null", shorten(told))


# ---------------------------------------------------------------- tokens
def _listed(seen: Observation) -> list[Any] | None:
    """`tokens` of a plain reply, as far as it is a list."""
    value = seen.detail("tokens")
    return value if seen.generated and not seen.is_stream and isinstance(value, list) else None


@clause("details.tokens.type")
def tokens_have_all_fields(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or seen.details is None:
        return NOT_MINE
    value = seen.detail("tokens")
    if value is MISSING:
        return Violation("`tokens` in `details`", shorten(seen.details))
    return is_list(value, "`tokens`") or first(
        has_fields(item, ("id", "logprob", "special", "text"), "a token") for item in value
    )


@clause("details.tokens.id")
def token_id_is_an_integer(seen: Observation) -> Outcome:
    return all_fields(_listed(seen), "id", good_id, "`id`, an integer", "token")


@clause("details.tokens.logprob")
def token_logprob_is_the_logarithm_of_a_probability(seen: Observation) -> Outcome:
    return all_fields(
        seen.token_values if seen.generated else None, "logprob", good_logprob, "`logprob`, a number not above zero", "token"
    )


@clause("details.tokens.special")
def token_special_is_a_boolean(seen: Observation) -> Outcome:
    return all_fields(_listed(seen), "special", lambda value: isinstance(value, bool), "`special`, a boolean", "token")


@clause("details.tokens.text")
def token_text_is_a_string(seen: Observation) -> Outcome:
    return all_fields(_listed(seen), "text", lambda value: isinstance(value, str), "`text`, a string", "token")


@clause("details.tokens.join")
def token_texts_join_to_the_text(seen: Observation) -> Outcome:
    if not seen.generated or seen.generated_text is None or seen.joined is None or not seen.tokens:
        return NOT_MINE
    text, joined = seen.generated_text, seen.joined
    if seen.asked.get("return_full_text") is not False and text.startswith(seen.asked.inputs) and len(text) > len(joined):
        text = text.removeprefix(seen.asked.inputs)
    if _same_but_for_known_cuts(text, joined):
        return None
    return Violation(f"`generated_text` is what the tokens join to: {shorten(joined)}", shorten(text))


def _same_but_for_known_cuts(text: str, joined: str) -> bool:
    """Equal; or but for a leading space (encoder-decoders), or a character cut at the end."""
    if text == joined or text.removeprefix(" ") == joined.removeprefix(" "):
        return True
    cut = "\N{REPLACEMENT CHARACTER}"
    return text.rstrip(cut) == joined.rstrip(cut) and (text.endswith(cut) or joined.endswith(cut))


# ---------------------------------------------------------------- top_tokens
@clause("details.top_tokens.type")
def top_tokens_is_a_list_of_lists(seen: Observation) -> Outcome:
    value = seen.detail("top_tokens")
    if not seen.generated or seen.is_stream or value is MISSING or value is None:
        return NOT_MINE
    wrong = is_list(value, "`top_tokens`") or first(is_list(item, "each item of `top_tokens`") for item in value)
    return wrong or first(told_token(token, "a token of `top_tokens`") for item in value for token in item)


@clause("details.top_tokens.length")
def top_tokens_has_a_list_for_each_token(seen: Observation) -> Outcome:
    value = seen.detail("top_tokens")
    if not seen.generated or seen.is_stream or not isinstance(value, list) or not value or seen.token_values is None:
        return NOT_MINE
    expected = len(seen.token_values)
    return (
        None
        if len(value) == expected
        else Violation(f"{expected} lists in `top_tokens`, one for each token", f"{len(value)} lists")
    )


@clause("details.top_tokens.probabilities")
def probabilities_sum_to_at_most_one(seen: Observation) -> Outcome:
    if not (seen.generated and seen.top_tokens):
        return NOT_MINE
    for place, candidates in enumerate(seen.top_tokens, 1):
        logprobs = numbers(candidate.get("logprob") for candidate in candidates)
        total = sum(math.exp(min(logprob, 1.0)) for logprob in logprobs or ())
        if total > 1.01:
            return Violation("probabilities that sum to at most one", f"{total:.4f} for token {place}: {shorten(candidates)}")
    return None


@clause("details.top_tokens.agrees")
def top_tokens_agree_with_the_tokens(seen: Observation) -> Outcome:
    if not (seen.generated and seen.top_tokens and seen.tokens and is_greedy(seen)) or any(
        seen.asked.get(name) for name in PENALTIES
    ):
        return NOT_MINE
    pairs = zip(seen.tokens, seen.top_tokens, strict=False)
    return first(_agrees(place, token, candidates) for place, (token, candidates) in enumerate(pairs, 1) if candidates)


def _agrees(place: int, token: dict[str, Any], candidates: list[dict[str, Any]]) -> Violation | None:
    own = token.get("logprob")
    if not is_number(own) or not all(is_number(candidate.get("logprob")) for candidate in candidates):
        return None
    same = next((candidate["logprob"] for candidate in candidates if candidate.get("id") == token.get("id")), None)
    if same is not None and abs(same - own) > LOGPROB_TOLERANCE:
        return Violation(f"logprob {own} of token {place} in its `top_tokens` too", shorten(candidates))
    if same is None and own > min(candidate["logprob"] for candidate in candidates) + LOGPROB_TOLERANCE:
        return Violation(f"token {place} with logprob {own} among its `top_tokens`", shorten(candidates))
    return None
