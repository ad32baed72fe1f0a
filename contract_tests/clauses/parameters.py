"""Clauses of `parameters`: each is accepted, refused when its type or bounds are broken, and does what the page says.

What needs draws and probabilities stands in ``sampling``; what takes more than a screen, in a file that is named for the parameter.
"""

from __future__ import annotations

from itertools import pairwise

import spec
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    NOT_MINE,
    REPEATED_TOLERANCE,
    faulty_are_refused,
    first,
    is_greedy,
    logprobs_differ,
    logprobs_of,
    others_are_accepted,
    same_pair,
)
from contract_tests.observation import Group, Observation
from contract_tests.values import MISSING, is_number, objects, shorten

for _statement in spec.statements():
    if _statement.section == "parameters" and _statement.testable:
        match _statement.id.rpartition(".")[2]:
            case "accepted":
                clause(_statement.id, about=_statement.id)(others_are_accepted)
            case "type" | "bounds" | "required" | "unknown" | "invalid":
                clause(_statement.id, about=_statement.id)(faulty_are_refused)


# ---------------------------------------------------------------- decoder_input_details
@clause("parameters.decoder_input_details.prefill")
def prefill_is_told_when_asked(seen: Observation) -> Outcome:
    if not seen.generated or seen.is_stream or seen.asked.get("decoder_input_details") is not True or seen.details is None:
        return NOT_MINE
    prefill = seen.details.get("prefill", MISSING)
    return None if isinstance(prefill, list) and prefill else Violation("`prefill` with the prompt's tokens", shorten(prefill))


@clause("parameters.decoder_input_details.prefill", of="prefill-prefix")
def prefill_keeps_the_order_of_the_prompt(pair: Group) -> Outcome:
    """A prompt, and one that goes on behind it or is drawn from: both begin with the same (but where two texts may grow together)."""
    one, other = (objects(member.detail("prefill")) for member in pair.members)
    short, long = ([token.get("id") for token in prefill] for prefill in (one, other))
    if len(short) < 4 or len(long) < len(short):
        return Skip("the endpoint does not tell the prompt's tokens")
    half = len(short) // 2
    if short[:half] != long[:half]:
        return Violation(f"tokens in the prompt's order: {shorten(short)}", shorten(long))
    logprobs = [(token.get("logprob"), same.get("logprob")) for token, same in zip(one[:half], other[:half], strict=True)]
    differing = [(a, b) for a, b in logprobs if is_number(a) and is_number(b) and abs(a - b) > REPEATED_TOLERANCE - a / 50]
    return Violation(f"logprob {differing[0][0]} of a prompt's token, again", f"{differing[0][1]}") if differing else None


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
    logprobs = logprobs_of(candidates)
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
    logprobs, told = logprobs_of(candidates), shorten(candidates)
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
