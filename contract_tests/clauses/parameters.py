"""Clauses of `parameters`: each is accepted, refused when its type or bounds are broken, and does what the page says.

What needs draws and probabilities stands in ``sampling``.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import jsonschema_rs
import msgspec
import regex

import spec
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    NOT_MINE,
    acceptance_of,
    accepted,
    first,
    ids,
    is_greedy,
    logprobs_differ,
    refusal_of,
    same_pair,
)
from contract_tests.observation import MISSING, Group, Observation, numbers, objects, parse, shorten
from contract_tests.statistics import ALPHA

for _statement in spec.statements():
    if _statement.section == "parameters" and _statement.testable:
        match _statement.id.rpartition(".")[2]:
            case "accepted":
                clause(_statement.id)(acceptance_of(_statement.id))
            case "type" | "bounds" | "required" | "unknown" | "invalid":
                clause(_statement.id)(refusal_of(_statement.id))


# ---------------------------------------------------------------- best_of
@clause("parameters.best_of.sequences")
def best_of_tells_the_others(seen: Observation) -> Outcome:
    best_of = seen.asked.get("best_of")
    if not (seen.generated and best_of and best_of > 1 and seen.details is not None):
        return NOT_MINE
    others = seen.details.get("best_of_sequences")
    if isinstance(others, list) and len(others) == best_of - 1:
        return None
    return Violation(
        f"`best_of_sequences` with {best_of - 1} of {best_of} sequences", shorten(others if others is not None else MISSING)
    )


@clause("parameters.best_of.best")
def best_of_returns_the_best(seen: Observation) -> Outcome:
    others = [logprobs for other in objects(seen.detail("best_of_sequences")) if (logprobs := _logprobs(other.get("tokens")))]
    best = _logprobs(seen.tokens)
    if not others or not best:
        return NOT_MINE
    for logprobs in others:
        by_sum, by_mean = sum(logprobs) - sum(best), sum(logprobs) / len(logprobs) - sum(best) / len(best)
        if by_sum > 0.01 and by_mean > 0.01:
            return Violation(
                "the sequence with the highest token logprobs is the one returned",
                f"returned: {sum(best):.4f} in {len(best)} tokens; better: {sum(logprobs):.4f} in {len(logprobs)} tokens",
            )
    return None


@clause("parameters.best_of.independent")
def best_of_sequences_are_draws_of_their_own(seen: Observation) -> Outcome:
    """All the same by chance p^(n-1), p the chance of that text, which its logprobs tell."""
    others = objects(seen.detail("best_of_sequences"))
    if not (seen.generated and others and seen.asked.samples):
        return NOT_MINE
    drawn = [[token.get("id") for token in objects(other.get("tokens"))] for other in others]
    if any(one != ids(seen) for one in drawn):
        return None
    chance = math.exp(seen.path * len(others)) if seen.path is not None else 1.0
    if chance > ALPHA:
        return Skip(f"the text is too likely: drawn {len(others) + 1} times with chance {chance:.1e}", inconclusive=True)
    return Violation(
        f"sequences that differ (chance of none that does: {chance:.1e})", f"{len(others) + 1} times {shorten(seen.new_text)}"
    )


def _logprobs(tokens: object) -> list[float]:
    return numbers(token.get("logprob") for token in objects(tokens)) or []


# ---------------------------------------------------------------- decoder_input_details
@clause("parameters.decoder_input_details.prefill")
def prefill_is_told_when_asked(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or seen.asked.get("decoder_input_details") is not True or seen.details is None:
        return NOT_MINE
    prefill = seen.details.get("prefill", MISSING)
    return None if isinstance(prefill, list) and prefill else Violation("`prefill` with the prompt's tokens", shorten(prefill))


@clause("parameters.decoder_input_details.prefill", of="prefill-prefix")
def prefill_keeps_the_order_of_the_prompt(pair: Group) -> Outcome:
    """A prompt, and one that goes on behind it: both begin with the same tokens (but where the two texts may grow together)."""
    short, long = ([token.get("id") for token in objects(member.detail("prefill"))] for member in pair.members)
    if len(short) < 4 or len(long) <= len(short):
        return Skip("the endpoint does not tell the prompt's tokens")
    half = len(short) // 2
    return None if short[:half] == long[:half] else Violation(f"tokens in the prompt's order: {shorten(short)}", shorten(long))


@clause("parameters.decoder_input_details.absent")
def prefill_is_empty_unless_asked(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or seen.asked.get("decoder_input_details") is True or seen.details is None:
        return NOT_MINE
    prefill = seen.details.get("prefill")
    return Violation("an empty `prefill`: `decoder_input_details` was not asked", shorten(prefill)) if prefill else None


# ---------------------------------------------------------------- details
@clause("parameters.details.given")
def details_are_told_when_asked(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or not seen.asked.details:
        return NOT_MINE
    return None if seen.details is not None else Violation("`details` in the reply", seen.brief)


@clause("parameters.details.absent")
def details_are_absent_unless_asked(seen: Observation) -> Outcome:
    # decoder_input_details brings details along in known servers, and the page does not forbid it
    if not seen.generated or seen.is_stream or seen.asked.details or seen.asked.get("decoder_input_details") is True:
        return NOT_MINE
    details = seen.reply.get("details")
    return None if details is None else Violation("no `details`: they were not asked", shorten(details))


@clause("parameters.details.neutral", of="details")
def details_change_no_text(pair: Group) -> Outcome:
    return same_pair(pair, ("the request without `details`", "with them"))


# ---------------------------------------------------------------- grammar
@cache
def _schema(value: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(msgspec.json.decode(value))


@clause("parameters.grammar.json.matches")
def json_grammar_is_kept(seen: Observation) -> Outcome:
    value = _grammar_value(seen, "json")
    if value is None:
        return NOT_MINE
    text, schema = seen.new_text or "", value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if seen.finish_reason == "length":
        if '"object"' in schema and text.strip() and not text.lstrip().startswith("{"):
            return Violation(f"the beginning of JSON that satisfies {shorten(schema)}", shorten(text))
        return Skip("every generation under a json grammar was cut by its length")
    found = parse(text)
    if found is not MISSING and _schema(schema).is_valid(found):
        return None
    return Violation(f"JSON that satisfies {shorten(schema)}", shorten(text))


@clause("parameters.grammar.regex.matches")
def regex_grammar_is_kept(seen: Observation) -> Outcome:
    value = _grammar_value(seen, "regex")
    if not isinstance(value, str):
        return NOT_MINE
    text, cut = seen.new_text or "", seen.finish_reason == "length"
    if regex.fullmatch(value, text, partial=cut):
        return None
    return Violation(f"{'the beginning of ' if cut else ''}text that matches {value}", shorten(text))


def _grammar_value(seen: Observation, kind: str) -> object:
    """`value` of the grammar that a generation was asked to keep; None when there was none, or when a stop sequence may have cut it."""
    grammar = seen.asked.get("grammar")
    if not (seen.generated and isinstance(grammar, dict) and grammar.get("type") == kind) or seen.asked.stop:
        return None
    return grammar.get("value") if seen.finish_reason in ("length", "eos_token") else None


# ---------------------------------------------------------------- max_new_tokens
@clause("parameters.max_new_tokens.limits")
def no_more_than_max_new_tokens(seen: Observation) -> Outcome:
    limit = seen.asked.get("max_new_tokens")
    if not (seen.generated and isinstance(limit, int)):
        return NOT_MINE
    said = seen.detail("generated_tokens")
    counts = [count for count in (seen.count, said) if isinstance(count, int)]
    if not counts:
        return NOT_MINE
    return None if max(counts) <= limit else Violation(f"at most {limit} tokens", f"{max(counts)} tokens")


# ---------------------------------------------------------------- return_full_text
@clause("parameters.return_full_text.prepends")
def prompt_is_prepended_when_asked(seen: Observation) -> Outcome:
    text = seen.generated_text
    if not seen.generated or text is None or seen.asked.get("return_full_text") is not True:
        return NOT_MINE
    if text.startswith(seen.asked.inputs):
        return None
    return Violation(f"`generated_text` begins with the prompt {shorten(seen.asked.inputs)}", shorten(text))


@clause("parameters.return_full_text.absent")
def prompt_is_not_prepended(seen: Observation) -> Outcome:
    """Certain only where the tokens are told: a model may well repeat its prompt."""
    text, prompt = seen.generated_text, seen.asked.inputs
    if not seen.generated or not text or not prompt or seen.asked.get("return_full_text") is not False or not seen.joined:
        return NOT_MINE
    if text == seen.joined or not text.startswith(prompt):
        return None
    return Violation(f"`generated_text` is what the tokens say: {shorten(seen.joined)}", f"the prompt before it: {shorten(text)}")


@clause("parameters.return_full_text.default")
def prompt_is_prepended_unless_told_otherwise(seen: Observation) -> Outcome:
    text = seen.generated_text
    if not seen.generated or text is None or seen.asked.get("return_full_text") is not None:
        return NOT_MINE
    if text.startswith(seen.asked.inputs):
        return None
    if len(objects(seen.detail("prefill"))) > 1:  # an encoder-decoder's has one token, whatever the prompt
        return Violation(f"`generated_text` begins with the prompt {shorten(seen.asked.inputs)}", shorten(text))
    return Skip("an encoder-decoder puts no prompt before its text, and nothing tells that this model is none", inconclusive=True)


@clause("parameters.return_full_text.prepends", of="full_text")
def full_text_is_prompt_and_text(pair: Group) -> Outcome:
    without, full, *_ = pair.members
    if not pair.all_generated or without.generated_text is None or full.generated_text is None:
        return Skip("one of the two requests was not answered with text")
    expected = without.asked.inputs + without.generated_text
    # an encoder-decoder drops the space that would stand between prompt and text
    if full.generated_text.replace(" ", "") == expected.replace(" ", ""):
        return None
    return same_pair(pair, ("the request without `return_full_text`, behind the prompt,", "with it"))


# ---------------------------------------------------------------- top_n_tokens
@clause("parameters.top_n_tokens.given")
def top_tokens_are_told_when_asked(seen: Observation) -> Outcome:
    wanted = seen.asked.get("top_n_tokens")
    if not (seen.generated and isinstance(wanted, int) and wanted > 0 and (seen.is_stream or seen.details is not None)):
        return NOT_MINE
    if seen.is_stream and not seen.asked.details:
        return Skip("a stream without `details` may leave the candidates out")
    if seen.top_tokens is None:
        return Violation(f"`top_tokens` with {wanted} candidates for each token", "no `top_tokens`")
    # warpers may leave fewer candidates than asked, ties may add some
    warped = any(seen.asked.get(name) is not None for name in ("top_k", "top_p", "typical_p", "grammar"))
    for place, candidates in enumerate(seen.top_tokens, 1):
        if (len(candidates) < wanted and not warped) or (warped and not candidates):
            return Violation(f"{wanted} candidates for each token", f"{len(candidates)} for token {place}: {shorten(candidates)}")
        if len(candidates) > wanted and not _ties(candidates[wanted - 1 :]):
            return Violation(f"{wanted} candidates for each token (more only in a tie)", f"token {place}: {shorten(candidates)}")
    return None


def _ties(candidates: list[dict[str, object]]) -> bool:
    logprobs = _logprobs(candidates)
    return not logprobs or max(logprobs) - min(logprobs) <= 1e-3


@clause("parameters.top_n_tokens.absent")
def top_tokens_are_absent_unless_asked(seen: Observation) -> Outcome:
    if not seen.generated or seen.asked.get("top_n_tokens"):
        return NOT_MINE
    if seen.top_tokens is None and seen.details is None and not seen.is_stream:
        return NOT_MINE
    return Violation("no `top_tokens`: they were not asked", shorten(seen.top_tokens)) if any(seen.top_tokens or []) else None


@clause("parameters.top_n_tokens.likeliest")
def top_tokens_are_the_likeliest(seen: Observation) -> Outcome:
    if not (seen.generated and seen.top_tokens and seen.tokens):
        return NOT_MINE
    # where logprobs are told from before the penalties or the grammar, the greedy token need not lead
    plain = is_greedy(seen) and not any(seen.asked.get(name) for name in ("repetition_penalty", "frequency_penalty", "grammar"))
    return first(
        _likeliest(place, token, candidates, greedy=plain)
        for place, (token, candidates) in enumerate(zip(seen.tokens, seen.top_tokens, strict=False), 1)
        if candidates
    )


def _likeliest(place: int, token: dict[str, object], candidates: list[dict[str, object]], *, greedy: bool) -> Violation | None:
    logprobs, told = _logprobs(candidates), shorten(candidates)
    if any(left < right - 1e-4 for left, right in pairwise(logprobs)):
        return Violation("candidates sorted by logprob, the likeliest first", f"token {place}: {told}")
    numbers = [candidate.get("id") for candidate in candidates]
    if any(numbers.count(number) > 1 for number in numbers):
        return Violation("no candidate twice", f"token {place}: {told}")
    # two candidates as likely as each other may both claim to be the greedy one
    if greedy and logprobs:
        rivals = [number for number, logprob in zip(numbers, logprobs, strict=True) if logprob >= logprobs[0] - 1e-3]
        if token.get("id") not in rivals:
            return Violation(f"the greedy token is the likeliest: {told}", f"token {place}: {shorten(token)}")
    return None


@clause("parameters.top_n_tokens.neutral", of="top_n_tokens")
def top_n_tokens_change_no_text(pair: Group) -> Outcome:
    outcome = same_pair(pair, ("the request without `top_n_tokens`", "with it"))
    return outcome or logprobs_differ(pair.members[0], pair.members[1])


# ---------------------------------------------------------------- truncate
@clause("parameters.truncate.size")
def no_more_input_than_truncate(seen: Observation) -> Outcome:
    limit = seen.asked.get("truncate")
    if not (seen.generated and isinstance(limit, int)):
        return NOT_MINE
    read = seen.detail("input_length")
    prefill = seen.detail("prefill")
    if seen.asked.get("decoder_input_details") is True and isinstance(prefill, list) and prefill:
        read = len(prefill)
    if not isinstance(read, int):
        return NOT_MINE
    # one more for a token that the tokenizer puts before every prompt
    return None if read <= limit + 1 else Violation(f"at most {limit} tokens of the input", f"{read} tokens")


@clause("parameters.truncate.long-inputs", of="long-inputs")
def truncate_makes_a_long_prompt_fit(pair: Group) -> Outcome:
    whole, cut = pair.members
    if not 400 <= whole.status < 500:
        return Skip("the endpoint takes the long prompt whole, so that nothing has to be cut")
    return accepted(cut)


@clause("parameters.truncate.size", of="truncate")
def truncate_shortens_the_input(pair: Group) -> Outcome:
    whole, cut = pair.members
    limit, all_of_it, read = cut.asked.get("truncate"), whole.detail("input_length"), cut.detail("input_length")
    if not (pair.all_generated and isinstance(all_of_it, int) and isinstance(read, int)):
        return Skip("the endpoint does not tell `input_length`")
    expected = min(limit, all_of_it)
    return (
        None
        if expected <= read <= expected + 1
        else Violation(f"{expected} tokens of the {all_of_it} of the input", f"{read} tokens")
    )


@clause("parameters.truncate.right-end", of="truncate-prefill")
def truncate_keeps_the_end(pair: Group) -> Outcome:
    whole, cut = (([token.get("id") for token in objects(member.detail("prefill"))]) for member in pair.members)
    if not whole or not cut or len(cut) >= len(whole):
        return Skip("the endpoint does not tell `prefill`, or did not truncate")
    kept = cut[1:] if len(cut) > 1 and cut[0] == whole[0] else cut  # behind a token that stands before every prompt
    return None if whole[-len(kept) :] == kept else Violation(f"the last tokens of {shorten(whole)}", shorten(cut))
