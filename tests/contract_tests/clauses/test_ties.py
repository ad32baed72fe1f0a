"""Where two generations part at a near tie nobody is accused, also where the tokens that part show nothing yet."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from contract_tests.clauses import Skip, Violation
from contract_tests.clauses.shared import same_text
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Observation

NAMES = "one", "the other"
EVEN, SURE = math.log(0.5), math.log(0.98)


def reply(text: str, tokens: list[tuple[str, float]] | None = None, special: str = "</s>") -> Observation:
    """A greedy reply; its tokens are told with the two likeliest candidates of each place, or not at all."""
    body: dict[str, Any] = {"generated_text": text}
    if tokens is not None:
        told = [{"id": n, "text": shown, "logprob": p, "special": shown == special} for n, (shown, p) in enumerate(tokens)]
        others = [{"id": 1000 + n, "text": "?", "logprob": math.log1p(-math.exp(p)), "special": False} for n, (_, p) in enumerate(tokens)]
        ending = {"finish_reason": "length", "generated_tokens": len(tokens), "seed": None, "prefill": []}
        body["details"] = {**ending, "tokens": told, "top_tokens": [list(pair) for pair in zip(told, others, strict=True)]}
    case = Case.of({"inputs": "p", "parameters": {"details": tokens is not None}})
    chunk = Chunk(0.0, json.dumps(body).encode())
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (chunk,)))


@pytest.mark.parametrize(
    "tokens",
    [
        [("a", SURE), ("b", EVEN)],
        [("a", SURE), ("", EVEN), ("b", SURE)],
        [("a", SURE), ("", EVEN), ("", SURE), ("b", SURE)],
        [("</s>", SURE), ("a", SURE), ("b", EVEN)],
        [("a", SURE), ("</s>", EVEN), ("b", SURE)],
    ],
    ids=repr,
)
def test_a_tie_where_the_texts_part_or_just_before_it_is_not_judged(tokens: list[tuple[str, float]]) -> None:
    assert isinstance(same_text(reply("ab", tokens), reply("ac"), NAMES), Skip)


@pytest.mark.parametrize(
    "tokens", [[("a", SURE), ("b", SURE)], [("", EVEN), ("a", SURE), ("b", SURE)], [("a", EVEN), ("b", SURE)]], ids=repr
)
def test_a_tie_at_another_place_excuses_nothing(tokens: list[tuple[str, float]]) -> None:
    assert isinstance(same_text(reply("ab", tokens), reply("ac"), NAMES), Violation)


@pytest.mark.parametrize(("chance", "outcome"), [(EVEN, Skip), (SURE, Violation)])
def test_a_text_that_ends_before_the_other_parts_from_it_at_its_end_token(chance: float, outcome: type) -> None:
    assert isinstance(same_text(reply("a", [("a", SURE), ("</s>", chance)]), reply("ab"), NAMES), outcome)
