"""Clauses of `truncate`: so many tokens of the input are read, the last ones, and what is generated follows them."""

from __future__ import annotations

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, accepted, logprobs_differ, same_text
from contract_tests.observation import Group, Observation
from contract_tests.values import objects, shorten


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


@clause("parameters.truncate.size", of="truncate-prefill")
def truncate_reads_no_token_more(pair: Group) -> Outcome:
    """One more stands there only where it is the one that stands before every prompt, and so before the whole one."""
    whole, cut = (([token.get("id") for token in objects(member.detail("prefill"))]) for member in pair.members)
    limit = pair.members[1].asked.get("truncate")
    if not whole or not cut or not isinstance(limit, int):
        return Skip("the endpoint does not tell `prefill`")
    more = len(cut) - limit
    if more < 1 or (more == 1 and cut[0] == whole[0]):
        return None
    return Violation(f"the last {limit} tokens of the input", f"{len(cut)} tokens, and no token that stands before every prompt")


@clause("parameters.truncate.right-end", of="truncate-prefill")
def truncate_keeps_the_end(pair: Group) -> Outcome:
    whole, cut = (([token.get("id") for token in objects(member.detail("prefill"))]) for member in pair.members)
    if not whole or not cut or len(cut) >= len(whole):
        return Skip("the endpoint does not tell `prefill`, or did not truncate")
    kept = cut[1:] if len(cut) > 1 and cut[0] == whole[0] else cut  # behind a token that stands before every prompt
    return None if whole[-len(kept) :] == kept else Violation(f"the last tokens of {shorten(whole)}", shorten(cut))


@clause("parameters.truncate.read", of="truncate-read")
def what_follows_is_what_follows_the_kept_tokens(pair: Group) -> Outcome:
    """A prompt that was cut, and one that is what was kept of it: the same tokens, as the prefill of both tells."""
    cut, kept = pair.members
    read, sent = (([token.get("id") for token in objects(member.detail("prefill"))]) for member in pair.members)
    if not pair.all_generated or not read or read != sent:
        return Skip("the text of the tokens that were kept is not read as these tokens", inconclusive=True)
    return same_text(kept, cut, ("the prompt that was kept", "of the one that was cut to it")) or logprobs_differ(kept, cut)
