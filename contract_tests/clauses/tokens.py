"""Clauses of the tokens in `details`: `prefill`, `tokens`, `top_tokens`; each by itself, and what they say about each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    LOGPROB_TOLERANCE,
    NOT_MINE,
    REPEATED_TOLERANCE,
    all_fields,
    first,
    good_id,
    good_logprob,
    has_fields,
    is_list,
    told_token,
)
from contract_tests.observation import Group, Observation, same_but_for_known_cuts
from contract_tests.values import CUT, MISSING, Json, is_integer, is_number, numbers, objects, shorten

ALTERING = ("temperature", "top_k", "top_p", "typical_p", "grammar", "watermark", "repetition_penalty", "frequency_penalty")
"""Parameters whose effect some servers report in one place and not in another."""


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


@clause("details.prefill.text")
def prefill_texts_are_the_prompts(seen: Observation) -> Outcome:
    """Judged on prompts in ASCII; spaces aside, which tokenizers write in ways of their own."""
    tokens = objects(seen.detail("prefill"))
    texts = [token.get("text") for token in tokens]
    prompt = _letters(seen.asked.inputs)
    if not seen.generated or seen.asked.get("truncate") is not None or not seen.asked.inputs.isascii() or not prompt:
        return NOT_MINE
    if len(tokens) < 2 or not all(isinstance(text, str) for text in texts):
        return NOT_MINE  # an encoder-decoder tells the token that its decoder starts with
    told = _letters("".join(str(text) for text in texts))
    return None if prompt in told else Violation(f"the prompt in the texts of `prefill`: {shorten(prompt)}", shorten(told))


def _letters(text: str) -> str:
    """``text`` without spaces, nor the letters by which tokenizers write them."""
    return "".join(text.replace("\u2581", " ").replace("\u0120", " ").replace("\u010a", " ").split()).casefold()


@clause("details.prefill.agrees", of="continued")
def prefill_is_what_was_generated(pair: Group) -> Outcome:
    """A text drawn at `temperature` 1, whose logprobs are raw under either convention; then prompt and text as a prompt.

    A server may read its own text as other tokens. Where texts and logprobs are all the same and no id is, the ids are wrong.
    """
    generated, continued = pair.members
    tokens, prefill = generated.tokens or [], objects(continued.detail("prefill"))
    pairs = list(zip(tokens, prefill[-len(tokens) :], strict=False))
    if not pair.all_generated or not tokens or len(prefill) <= len(tokens):
        return Skip("the endpoint does not tell the tokens of the prompt")
    logprobs = [(token.get("logprob"), read.get("logprob")) for token, read in pairs]
    wrong = [(a, b) for a, b in logprobs if is_number(a) and is_number(b) and abs(a - b) > REPEATED_TOLERANCE + 0.05 * abs(a)]
    same = [token.get("id") == read.get("id") for token, read in pairs]
    if not any(same) and not wrong and _plainly_alike(pairs):
        return Violation(f"the id {tokens[0].get('id')} in `prefill`, as when it was generated", f"{pairs[0][1].get('id')}")
    if not all(same):
        return Skip("the endpoint reads the generated text as other tokens")
    if not wrong:
        return None
    return Violation(f"logprob {wrong[0][0]} in `prefill`, as when it was generated", f"{wrong[0][1]}")


def _plainly_alike(pairs: list[tuple[Json, Json]]) -> bool:
    """Whether these tokens have integers for ids and the same texts, enough of them visible ones."""
    texts = [str(token.get("text", "")) for token, _ in pairs]
    visible = [text for text in texts if text.strip() and CUT not in text]
    told = all(is_integer(token.get("id")) and is_integer(read.get("id")) for token, read in pairs)
    return told and texts == [read.get("text") for _, read in pairs] and len(visible) >= ENOUGH


ENOUGH = 3
"""Visible tokens at which all ids are wrong by mistake, and not because each of them can be written in two ways."""


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


@clause("details.tokens.id")
def an_id_has_one_meaning(seen: Observation) -> Outcome:
    """In `prefill` each token's text stands by itself; in generated text it hangs on its neighbours, and is not judged."""
    meanings: dict[Any, Any] = {}
    for token in objects(seen.detail("prefill")) if seen.generated else ():
        id, text = token.get("id"), token.get("text")
        if is_integer(id) and meanings.setdefault(id, text) != text:
            return Violation(f"one text for `id` {id} in `prefill`", shorten([meanings[id], text]))
    return None if len(meanings) > 1 else NOT_MINE


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
    if same_but_for_known_cuts(text, joined):
        return None
    return Violation(f"`generated_text` is what the tokens join to: {shorten(joined)}", shorten(text))


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
    """Judged where logprobs from before and behind the sampling parameters are the same, as there are none."""
    plain = not any(seen.asked.get(name) is not None for name in ALTERING)
    if not (seen.generated and seen.top_tokens and seen.tokens and plain):
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


def _among_candidates(seen: Observation, name: str) -> Iterator[tuple[int, Json, Any, Any]]:
    """Place, token, its ``name`` and that of the candidate with its id, for each token that stands among its `top_tokens`."""
    if seen.generated:
        for place, (token, candidates) in enumerate(zip(seen.tokens or [], seen.top_tokens or [], strict=False), 1):
            same = next((other for other in candidates if other.get("id") == token.get("id")), {})
            yield place, token, token.get(name), same.get(name)


@clause("details.top_tokens.special")
def top_tokens_are_special_as_the_tokens_are(seen: Observation) -> Outcome:
    judged = False
    for place, _, own, told in _among_candidates(seen, "special"):
        if not isinstance(own, bool) or not isinstance(told, bool):
            continue
        judged = True
        if own != told:
            return Violation(f"`special` {shorten(own)} of token {place} in its `top_tokens` too", shorten(told))
    return None if judged else NOT_MINE


@clause("details.top_tokens.text")
def top_tokens_have_the_texts_of_the_tokens(seen: Observation) -> Outcome:
    """But for spaces around it, and for a cut character at its end: a candidate shows it, while the token's text waits for the rest."""
    judged = False
    for place, token, own, told in _among_candidates(seen, "text"):
        if not isinstance(own, str) or not isinstance(told, str) or not own.isascii() or not own.strip():
            continue
        if token.get("special") is True:
            continue
        judged = True
        if _letters(told.rstrip(CUT)) != _letters(own):
            return Violation(f"text {shorten(own)} of token {place} in its `top_tokens` too", shorten(told))
    return None if judged else NOT_MINE
