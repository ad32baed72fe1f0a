"""Clauses of `details` but for its tokens: the sequences that lost, why it ended, how much came, by which seed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    NOT_MINE,
    first,
    good_logprob,
    has_fields,
    is_list,
    same_draws,
    told_token,
)
from contract_tests.exchange import Chunk
from contract_tests.observation import Group, Observation, same_but_for_known_cuts
from contract_tests.values import MISSING, is_integer, is_number, objects, shorten

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
        or _seed(value.get("seed"))
    )


@clause("details.best_of_sequences.agrees")
def each_sequence_agrees_with_itself(seen: Observation) -> Outcome:
    others = objects(seen.detail("best_of_sequences"))
    if not seen.generated or not others:
        return NOT_MINE
    return first(_agreement(seen, other) or _as_complete(seen, other) or _ended(seen, other) for other in others)


def _ended(seen: Observation, other: dict[str, Any]) -> Violation | None:
    """Its `finish_reason`, judged as if the sequence were the reply."""
    reply = json.dumps({"generated_text": other.get("generated_text"), "details": other}).encode()
    alone = Observation(replace(seen.exchange, chunks=(Chunk(0.0, reply),)))
    rules = (length_means_the_limit_was_reached, eos_token_means_the_model_ended, stop_sequence_means_one_was_generated)
    found = next((outcome for rule in rules if isinstance(outcome := rule(alone), Violation)), None)
    return found and Violation(f"in each of `best_of_sequences` {found.expected}", found.actual)


def _as_complete(seen: Observation, other: dict[str, Any]) -> Violation | None:
    """`prefill`, `top_tokens` and the prompt before the text, where the best sequence has them."""
    lists = {name: seen.detail(name) for name in ("prefill", "top_tokens")}
    missing = next((name for name, value in lists.items() if isinstance(value, list) and value and not other.get(name)), None)
    if missing:
        return Violation(
            f"`{missing}` in a sequence of `best_of_sequences`, as in the best one", shorten(other.get(missing, MISSING))
        )
    full = seen.asked.get("return_full_text") is True and str(seen.generated_text).startswith(seen.asked.inputs)
    if full and not str(other.get("generated_text")).startswith(seen.asked.inputs):
        return Violation(
            "the prompt before `generated_text` of a sequence, as in the best one", shorten(other.get("generated_text"))
        )
    return None


def _agreement(seen: Observation, other: dict[str, Any]) -> Violation | None:
    tokens, text = objects(other.get("tokens")), other.get("generated_text")
    texts = [token.get("text") for token in tokens if token.get("special") is not True]
    positive = next(
        (token["logprob"] for token in tokens if is_number(token.get("logprob")) and not good_logprob(token["logprob"])), None
    )
    if positive is not None:
        return Violation("no logprob above zero in a sequence of `best_of_sequences`", f"{positive}")
    if not isinstance(text, str) or not all(isinstance(one, str) for one in texts):
        return None  # judged by details.best_of_sequences.type
    joined = "".join(str(one) for one in texts)
    without_prompt = text.removeprefix(seen.asked.inputs) if len(text) > len(joined) else text
    if same_but_for_known_cuts(without_prompt, joined):
        return None
    return Violation(f"`generated_text` of a sequence is what its tokens join to: {shorten(joined)}", shorten(text))


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


# ---------------------------------------------------------------- seed
@clause("details.seed.type")
def seed_is_an_integer_or_null(seen: Observation) -> Outcome:
    value = seen.detail("seed")
    if not seen.generated or seen.details is None or value is MISSING:
        return NOT_MINE
    return _seed(value)


def _seed(value: Any) -> Violation | None:
    good = value is None or (is_integer(value) and value >= 0)
    return None if good else Violation("`seed`, an integer or null", shorten(value))


@clause("details.seed.given")
def seed_is_the_one_sent(seen: Observation) -> Outcome:
    sent, told = seen.asked.get("seed"), seen.detail("seed")
    if not seen.generated or seen.details is None or not is_integer(sent):
        return NOT_MINE
    if seen.asked.samples:
        return None if told == sent and is_integer(told) else Violation(f"`seed` {sent} in `details`: it was sent", shorten(told))
    return None if told in (None, sent, MISSING) else Violation(f"`seed` {sent} or null", shorten(told))


@clause("details.seed.reported")
def drawn_seed_is_told(seen: Observation) -> Outcome:
    if not seen.generated or seen.details is None or not seen.asked.samples or seen.asked.get("seed") is not None:
        return NOT_MINE
    told = seen.detail("seed")
    return None if is_integer(told) else Violation("`seed`, the one that was drawn", shorten(told))


@clause("details.seed.reproduces", of="told-seed")
def told_seed_gives_the_same_text(group: Group) -> Outcome:
    """Pairs of a request that samples without a seed, and of the same with the seed that was told."""
    return same_draws(group, ("the draw whose seed was told", "with that seed"))
