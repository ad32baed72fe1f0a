"""The sampling clauses accuse no right server, whatever its distribution, and find the wrong ones: by simulation, without HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract_tests.clauses import CLAUSES, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.clauses.sampling import COLD, _chance_of_another
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.nucleus import entropy_bounds, kept_by_top_p, surely_not_typical
from contract_tests.observation import Group, Observation

VISIBLE = 5
LOGITS = st.lists(st.floats(-8, 8), min_size=2, max_size=40)


def law(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Probabilities, the likeliest first."""
    top = max(logits)
    weights = sorted((math.exp((value - top) / temperature) for value in logits), reverse=True)
    return [weight / sum(weights) for weight in weights]


def typical_set(probabilities: list[float], mass: float) -> set[int]:
    """text-generation-inference's own rule: sort by distance to the entropy, keep until the mass is reached, ties too."""
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    distance = {place: abs(-math.log(p) - entropy) for place, p in enumerate(probabilities) if p > 0}
    total, last = 0.0, 0.0
    for place in sorted(distance, key=lambda place: distance[place]):
        last = distance[place]
        total += probabilities[place]
        if total >= mass:
            break
    return {place for place, value in distance.items() if value <= last}


@given(LOGITS, st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8]))
def test_no_token_of_the_typical_set_is_ever_ruled_out(logits: list[float], mass: float) -> None:
    probabilities = law(logits)
    surprisals = [round(-math.log(p), 6) for p in probabilities[:VISIBLE] if p > 0]
    bounds = entropy_bounds(surprisals)
    out = {place for place in range(len(surprisals)) if surely_not_typical(surprisals, mass + 1e-3, place, bounds)}

    assert set() == out & typical_set(probabilities, mass)


def test_the_likeliest_token_of_a_peaked_law_is_ruled_out_by_a_small_typical_p() -> None:
    probabilities = [0.5, 0.2, 0.15, 0.1, 0.05]
    surprisals = [-math.log(p) for p in probabilities]

    assert surely_not_typical(surprisals, 0.05, 0, entropy_bounds(surprisals))


@given(LOGITS)
def test_the_chance_of_leaving_the_greedy_path_when_cold_is_bounded_from_above(logits: list[float]) -> None:
    true_chance = 1 - law(logits, COLD)[0]
    told = [{"id": place, "logprob": math.log(p)} for place, p in enumerate(law(logits)[:VISIBLE]) if p > 0]
    assume(len(told) > 1)

    assert true_chance <= _chance_of_another(told) + 1e-12


@pytest.mark.parametrize(("mass", "kept"), [(0.1, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 3)])
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(mass: float, kept: int) -> None:
    assert kept == kept_by_top_p([0.5, 0.3, 0.2], mass)


# ---------------------------------------------------------------- whole replies of made-up servers
def observed(parameters: dict[str, Any], steps: list[tuple[int, dict[int, float]]], text: str | None = None) -> Observation:
    """A plain reply: for each step the chosen id and id -> logprob of the candidates."""
    tokens = [{"id": n, "text": f" t{n}", "logprob": c.get(n, min(c.values()) - 0.5), "special": False} for n, c in steps]
    top = [
        [{"id": n, "text": f" t{n}", "logprob": c[n], "special": False} for n in sorted(c, key=lambda n: -c[n])] for _, c in steps
    ]
    details = {
        "finish_reason": "length",
        "generated_tokens": len(tokens),
        "seed": 1,
        "prefill": [],
        "tokens": tokens,
        "top_tokens": top,
    }
    reply = {"generated_text": text or "".join(str(token["text"]) for token in tokens), "details": details}
    case = Case.of({"inputs": "p", "parameters": {"details": True, **parameters}})
    return Observation(
        Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, json.dumps(reply).encode()),))
    )


def lettered(seen: Observation, letters: str) -> Observation:
    """The same, where the texts of its tokens 1, 2, ... are these letters."""
    body = seen.exchange.chunks[0].data.decode()
    for number, letter in enumerate(letters, 1):
        body = body.replace(f'" t{number}"', f'"{letter}"')
    return Observation(replace(seen.exchange, chunks=(Chunk(0.0, body.encode()),)))


def verdict(id: str, relation: str, *members: Observation) -> Outcome:
    return judge(CLAUSES[id], Group(relation, members))


TOP_K_ONE_FINAL = observed({"top_k": 1}, [(1, {1: 0.0})])
TOP_K_ONE_RAW = observed({"top_k": 1}, [(1, {1: -0.7})])
RAW = {1: -0.5, 2: -1.5, 3: -2.5, 4: -3.0}
GREEDY = observed({}, [(1, RAW)])


def first_tokens(parameters: dict[str, Any], ids: Sequence[int]) -> list[Observation]:
    return [observed({**parameters, "do_sample": True}, [(n, {n: -0.1})]) for n in ids]


LAW = {1: math.log(0.4), 2: math.log(0.3), 3: math.log(0.2), 4: math.log(0.05)}


def test_draws_inside_the_nucleus_are_right() -> None:
    drawn = first_tokens({"top_p": 0.55}, [1, 2, 2, 1])

    assert verdict("parameters.top_p.keeps", "first-top_p", observed({}, [(1, LAW)]), *drawn) is None


def test_one_draw_outside_the_nucleus_is_enough() -> None:
    drawn = first_tokens({"top_p": 0.55}, [1, 2, 3])

    assert isinstance(verdict("parameters.top_p.keeps", "first-top_p", observed({}, [(1, LAW)]), *drawn), Violation)


def test_a_tie_at_the_edge_of_the_nucleus_belongs_to_it() -> None:
    tied = {1: math.log(0.4), 2: math.log(0.2), 3: math.log(0.2), 4: math.log(0.1)}
    drawn = first_tokens({"top_p": 0.5}, [3])

    assert verdict("parameters.top_p.keeps", "first-top_p", observed({}, [(1, tied)]), *drawn) is None


def test_what_noise_may_put_before_the_edge_of_the_nucleus_belongs_to_it() -> None:
    near = {1: math.log(0.4), 2: math.log(0.205), 3: math.log(0.2), 4: math.log(0.1)}
    drawn = first_tokens({"top_p": 0.5}, [3])

    assert verdict("parameters.top_p.keeps", "first-top_p", observed({}, [(1, near)]), *drawn) is None


# ---------------------------------------------------------------- two texts that should be the same
@pytest.mark.parametrize(
    ("runner_up", "accused"), [(math.log(0.44), False), (math.log(0.2), True)], ids=["about as likely", "much less likely"]
)
def test_where_one_reply_tells_no_tokens_the_candidates_of_the_other_tell_whether_noise_may_have_decided(
    runner_up: float, accused: bool
) -> None:
    told = observed({"do_sample": False}, [(1, {1: -0.1, 2: -3.0}), (3, {3: math.log(0.45), 4: runner_up})], " t1 t3")
    body = json.dumps({"generated_text": " t1 t4"}).encode()
    untold = Observation(replace(told.exchange, chunks=(Chunk(0.0, body),)))
    outcome = verdict("parameters.details.neutral", "details", untold, told, untold, told)

    assert accused == isinstance(outcome, Violation)
    assert accused or getattr(outcome, "inconclusive", False)


# ---------------------------------------------------------------- top_k
def test_a_draw_behind_the_top_k_is_found_from_one_reply() -> None:
    wrong = observed({"top_k": 2, "do_sample": True}, [(1, RAW), (3, RAW)])
    right = observed({"top_k": 2, "do_sample": True}, [(1, RAW), (2, RAW)])

    assert isinstance(judge(CLAUSES["parameters.top_k.keeps"], wrong), Violation)
    assert judge(CLAUSES["parameters.top_k.keeps"], right) is None


# ---------------------------------------------------------------- penalties
def penalized(change: float, noise: float = 0.0, **parameters: Any) -> Observation:
    """Eight steps that generate 1, 2, 1, 2, ...; ``change`` is added to what occurred before, and ``noise`` to or from two of three."""
    steps, occurred = [], set()
    for place in range(8):
        raw = {1: -1.0, 2: -1.1, 10 + place: -1.2, 30 + place: -1.3}
        told = {n: value + (change if n in occurred else 0.0) + (n % 3 - 1) * noise for n, value in raw.items()}
        steps.append((1 + place % 2, told))
        occurred.add(1 + place % 2)
    return observed(parameters, steps)


PENALTY = "parameters.repetition_penalty.penalizes"


@pytest.mark.parametrize(("change", "wrong"), [(-0.3, False), (0.0, True), (0.3, True)], ids=["right", "ignored", "inverted"])
def test_a_penalty_that_does_not_lower_what_occurred_is_found(change: float, wrong: bool) -> None:
    outcome = verdict(
        PENALTY, "penalty-repetition_penalty", penalized(0.0), penalized(change, repetition_penalty=1.5), TOP_K_ONE_FINAL
    )

    assert wrong == isinstance(outcome, Violation)


def test_raw_logprobs_and_the_same_text_tell_nothing_of_a_penalty() -> None:
    outcome = verdict(
        PENALTY, "penalty-repetition_penalty", penalized(0.0), penalized(0.0, repetition_penalty=1.5), TOP_K_ONE_RAW
    )

    assert getattr(outcome, "inconclusive", False)


@pytest.mark.parametrize("noise", [0.02, -0.02])
def test_noise_that_moves_new_tokens_as_far_as_old_ones_tells_nothing_of_a_penalty(noise: float) -> None:
    plain, noisy = penalized(0.0), penalized(0.0, noise, repetition_penalty=1.5)

    assert getattr(verdict(PENALTY, "penalty-repetition_penalty", plain, noisy, TOP_K_ONE_RAW), "inconclusive", False)


@pytest.mark.parametrize(("moved", "wrong"), [(0.08, False), (0.3, True)], ids=["as noise moves them", "farther"])
def test_a_neutral_penalty_may_move_logprobs_as_far_as_the_endpoint_moves_them_by_itself(moved: float, wrong: bool) -> None:
    members = (penalized(0.0), penalized(0.0, 0.06), penalized(0.0, moved, repetition_penalty=1.0))

    assert wrong == isinstance(verdict("parameters.repetition_penalty.neutral", "repetition_penalty", *members), Violation)


# ---------------------------------------------------------------- draws that must differ
def path(logprob: float, text: str, **parameters: Any) -> Observation:
    return observed(parameters, [(1, {1: logprob})] * 4, text)


def test_equal_draws_of_an_unlikely_text_are_a_violation_with_the_chance_stated() -> None:
    drawn = [path(-2.0, "same", seed=seed) for seed in (1, 2, 3)]
    outcome = verdict("parameters.seed.differs", "draws", path(-1.0, "greedy"), *drawn)

    assert isinstance(outcome, Violation)
    assert "1.1e-07" in outcome.expected


def test_one_draw_of_several_that_repeats_an_unlikely_greedy_text_is_found() -> None:
    greedy = observed({}, [(1, {1: -5.0})] * 4, "greedy")
    same, other = observed({"seed": 1}, [(1, {1: -5.0})] * 4, "greedy"), observed({"seed": 2}, [(2, {2: -5.0})] * 4, "other")

    assert isinstance(verdict("parameters.do_sample.samples", "draws", greedy, other, same), Violation)
    assert verdict("parameters.do_sample.samples", "draws", greedy, other) is None


def test_one_draw_that_differs_is_enough_where_no_logprobs_are_told() -> None:
    greedy, other = observed({}, [(1, {1: 0.5})] * 4, "greedy"), observed({"seed": 2}, [(2, {2: 0.5})] * 4, "other")

    assert verdict("parameters.do_sample.samples", "draws", greedy, greedy, other) is None
    assert getattr(verdict("parameters.do_sample.samples", "draws", greedy, greedy), "inconclusive", False)


def test_a_draw_without_limit_that_begins_with_the_greedy_tokens_is_found_where_these_are_unlikely() -> None:
    def unlimited(logprob: float) -> Outcome:
        greedy = observed({"max_new_tokens": 4}, [(1, {1: logprob})] * 4, "greedy")
        return verdict("parameters.do_sample.samples", "unlimited-draw", greedy, observed({}, [(1, {1: logprob})] * 9, "greedy and more"))

    assert isinstance(unlimited(-5.0), Violation)
    assert getattr(unlimited(-0.1), "inconclusive", False)


def test_under_a_grammar_a_draw_that_repeats_is_found_only_where_what_is_told_is_behind_the_grammar() -> None:
    def repeated(law: dict[int, float], letters: str) -> Outcome:
        asked = {"max_new_tokens": 24, "grammar": {"type": "regex", "value": "[A-E]{24}"}}
        greedy, draw = (lettered(observed(asked, [(1, law)] * 24, "A" * 24), letters) for _ in range(2))
        return verdict("parameters.do_sample.samples", "unlimited-draw", greedy, draw)

    flat = {number: math.log(0.2) for number in range(1, 6)}
    before = dict.fromkeys(range(1, 6), -5.0)

    assert isinstance(repeated(flat, "ABCDE"), Violation)
    assert getattr(repeated(before, "ABCDE"), "inconclusive", False)
    assert getattr(repeated(flat, "ABCDx"), "inconclusive", False)


@pytest.mark.parametrize(
    ("id", "relation"), [("parameters.seed.differs", "near-seeds"), ("parameters.seed.high-bits", "far-seeds")]
)
def test_seeds_that_give_the_same_on_several_prompts_are_found(id: str, relation: str) -> None:
    """Each text by itself would be likely enough to be drawn again."""
    pairs = [path(-2.5, text, seed=seed) for text in ("one", "two") for seed in (1, 2)]

    assert isinstance(verdict(id, relation, *pairs), Violation)
    assert getattr(verdict(id, relation, *pairs[:2]), "inconclusive", False)
    assert verdict(id, relation, *pairs[:2], pairs[2], path(-2.5, "other", seed=2)) is None


def test_equal_draws_of_a_likely_text_are_inconclusive() -> None:
    drawn = [path(-0.1, "same", seed=seed) for seed in (1, 2, 3)]

    assert getattr(verdict("parameters.seed.differs", "draws", path(-0.1, "greedy"), *drawn), "inconclusive", False)
