"""Clauses of `repetition_penalty` and `frequency_penalty`: the neutral value changes nothing, a strong one lowers what occurred."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    LOGPROB_TOLERANCE,
    REPEATED_TOLERANCE,
    by_id,
    candidates_differ,
    first,
    reports_final_logprobs,
    same_contexts,
    same_text,
)
from contract_tests.observation import Group, Observation
from contract_tests.values import Json, is_integer, is_number, objects, shorten


@clause("parameters.repetition_penalty.neutral", of="repetition_penalty")
@clause("parameters.frequency_penalty.neutral", of="frequency_penalty")
def neutral_value_changes_nothing(group: Group) -> Outcome:
    """Twice without the parameter, which shows the endpoint's own noise, then with its neutral value."""
    without, again, neutral = group.members
    outcome = same_text(without, neutral, ("the request without it", "with the neutral value"))
    if outcome is not None:
        return outcome
    noise = max(_differences(without, again), default=0.0)
    moved = max(_differences(without, neutral), default=0.0)
    if moved > (max(LOGPROB_TOLERANCE, 2 * noise) if noise else EXACT_TOLERANCE):
        return Violation(
            "the same logprobs as without it", f"they move by up to {moved:.4f} nats, by {noise:.4f} when nothing changes"
        )
    return None


EXACT_TOLERANCE = 0.005
"""Nats by which a neutral value may move a logprob where the endpoint repeats its logprobs exactly."""


def _differences(one: Observation, other: Observation) -> Iterator[float]:
    """How far the logprobs of the same tokens and candidates lie apart."""
    rows = zip([one.tokens or [], *(one.top_tokens or [])], [other.tokens or [], *(other.top_tokens or [])], strict=False)
    for left, right in rows:
        for a, b in zip(left, right, strict=False):
            if a.get("id") == b.get("id") and is_number(a.get("logprob")) and is_number(b.get("logprob")):
                yield abs(a["logprob"] - b["logprob"])


@clause("parameters.repetition_penalty.penalizes", of="penalty-repetition_penalty")
@clause("parameters.frequency_penalty.penalizes", of="penalty-frequency_penalty")
def penalty_lowers_what_occurred(group: Group) -> Outcome:
    """Greedy without and with a penalty, and one with `top_k` 1 for the convention.

    As long as both generate the same tokens their contexts are the same, and each candidate that was generated before must lose against
    one that surely did not occur. Where the two part, an occurred token may give way to another, a new one never to an occurred one.
    """
    plain, penalized, top_k_one = group.members
    if not group.all_generated or not plain.top_tokens or not penalized.top_tokens:
        return Skip("the endpoint does not tell `top_tokens`, so that penalties cannot be seen")
    moved, still, parting = _moves(plain, penalized)
    moves = [move for _, move in moved]
    gained = [move for move in moves if move > max(LOGPROB_TOLERANCE, still)] if _raises_nothing(penalized) else []
    if parting is _WRONG_WAY or gained or (len(moves) >= ENOUGH_MOVES and all(move > still for move in moves)):
        told = f"{len(moves)} candidates that occurred move by {shorten([round(move, 4) for move in gained or moves][:4])} nats"
        return Violation("candidates that occurred before lose against new ones", told)
    if any(move < -still for move in moves) or parting is _RIGHT_WAY:
        passed_over = [place for place, move in moved if place and abs(move) < UNMOVED]
        if any(move < -still for move in moves) and len(passed_over) >= ENOUGH_MOVES:
            return Violation(
                "each candidate that was generated before loses against new ones",
                f"some do, not those at places {shorten(passed_over)}",
            )
        return None
    if len(moves) < ENOUGH_MOVES:
        return Skip(f"only {len(moves)} candidates had occurred before: {ENOUGH_MOVES} would tell", inconclusive=True)
    if plain.new_text == penalized.new_text and reports_final_logprobs(top_k_one, plain):
        return Violation(
            "candidates that occurred before lose against new ones", f"none of {len(moves)} moves, nor does the text change"
        )
    return Skip("the endpoint reports logprobs from before the penalties, and the text does not tell", inconclusive=True)


@clause("parameters.frequency_penalty.scales", of="penalties-frequency_penalty")
def frequency_penalty_moves_in_proportion(group: Group) -> Outcome:
    """Greedy without it, and with 1.0, 2.0 and -2.0: as long as the tokens are the same, moves are twice as far and the other way."""
    plain, single, double, negative = group.members
    if not group.all_generated:
        return Skip("a request with `frequency_penalty` was not answered with text")
    for other, factor in ((double, 2.0), (negative, -2.0)):
        for (place, number), far in _gaps_moved(plain, other).items():
            near = _gaps_moved(plain, single).get((place, number))
            if (
                near is not None
                and abs(near) > LOGPROB_TOLERANCE
                and abs(far - factor * near) > (1 + abs(factor)) * LOGPROB_TOLERANCE + 0.1 * abs(near)
            ):
                return Violation(
                    f"a move of {factor * near:.3f} nats for token {number} at place {place}: {near:.3f} at `frequency_penalty` 1.0",
                    f"{far:.3f} at {other.asked.get('frequency_penalty')}",
                )
    moved = [move for move in _gaps_moved(plain, single).values() if abs(move) > LOGPROB_TOLERANCE]
    return (
        None if moved else Skip("no reported logprob moves with `frequency_penalty`, so nothing tells how far", inconclusive=True)
    )


def _gaps_moved(plain: Observation, penalized: Observation) -> dict[tuple[int, int], float]:
    """(place, id) -> how far a candidate moved against one that surely did not occur, as long as both generated the same tokens."""
    found: dict[tuple[int, int], float] = {}
    occurred = _prompt_ids(plain)
    for place, token, _, before, after in same_contexts(plain, penalized):
        candidates = (plain.top_tokens or [])[place - 1]
        new = {one["id"] for one in candidates if _is_new(one, occurred, plain.asked.inputs)} & before.keys() & after.keys()
        if new:
            best = max(new, key=lambda number: before[number])
            shared = before.keys() & after.keys() & occurred
            found |= {(place, n): (after[n] - after[best]) - (before[n] - before[best]) for n in shared}
        occurred.add(token)
    return found


@clause("parameters.repetition_penalty.divides", of="penalties-repetition_penalty")
def repetition_penalty_divides_scores(group: Group) -> Outcome:
    """How two candidates that both occurred lie apart: both positive, by 1/p as far; both negative, p times; else something between.

    How far each moved against one that did not occur tells its score, and so the case of opposite signs. The second request is the first
    again, which shows the endpoint's own noise.
    """
    plain, again, penalized = group.members
    p = penalized.asked.get("repetition_penalty")
    if not group.all_generated or not is_number(p) or p <= 1:
        return Skip("a request with `repetition_penalty` was not answered with text")
    rounding = REPEATED_TOLERANCE if max(_differences(plain, again), default=0.0) else ROUNDED
    occurred, generated = _prompt_ids(plain), set[int]()
    judged = False
    for place, token, _, before, after in same_contexts(plain, penalized):
        shared = before.keys() & after.keys()
        new = {one["id"] for one in (plain.top_tokens or [])[place - 1] if _is_new(one, occurred, plain.asked.inputs)} & shared
        ranked = sorted(shared & occurred, key=lambda number: -before[number])
        shift = {number: after[number] - before[number] for number in shared}
        moved = [number for number in ranked if shift[number]]  # else reported from before the penalty
        if new:  # not every server looks at the prompt
            moved = [number for number in moved if number in generated or abs(shift[number] - shift[min(new)]) > rounding / 2]
        for a, b in pairwise(moved):
            was, now = before[a] - before[b], after[a] - after[b]
            if was <= TELLING_GAP:
                continue
            judged = True
            wrong = not was / p - rounding <= now <= was * p + rounding
            if new and not wrong:
                apart = _opposite(shift[a] - shift[min(new)], shift[b] - shift[min(new)], p)
                error = rounding * (p / (p - 1) + 1 / (p - 1))
                wrong = not any(abs(now - right) <= rounding for right in (was / p, was * p)) and abs(was - apart) > error
            if wrong:
                return Violation(
                    f"two candidates at place {place} that occurred and lay {was:.3f} nats apart have scores divided or multiplied by {p}",
                    f"they lie {now:.3f} apart",
                )
        occurred.add(token)
        generated.add(token)
    return (
        None
        if judged
        else Skip("too few candidates had occurred before, or logprobs are reported from before the penalty", inconclusive=True)
    )


def _opposite(positive: float, negative: float, p: float) -> float:
    """How far two scores of opposite sign lay apart, told by how far each moved: the one by s/p - s, the other by s*p - s."""
    return positive / (1 / p - 1) - negative / (p - 1)


TELLING_GAP = 0.45
"""Nats between two candidates below which rounding hides how far a penalty moved them."""

ROUNDED = 0.02
"""Nats by which the distance of two logprobs may be off where the endpoint repeats itself exactly: told to two decimals."""


ENOUGH_MOVES = 4
"""Candidates that occurred before, over which a penalty is judged: a right one leaves a logit of exactly 0 alone, not four of them."""

_RIGHT_WAY, _WRONG_WAY, _NO_WAY = "an occurred token gave way", "a new token gave way to an occurred one", ""


def _raises_nothing(penalized: Observation) -> bool:
    """Whether no known server lets an occurred token gain: one divides negative scores by a `frequency_penalty` (its ``conflict``)."""
    return penalized.asked.get("frequency_penalty") is None


UNMOVED = 1e-3
"""Nats by which a logprob moves that nothing moved, where an endpoint repeats itself."""


def _moves(plain: Observation, penalized: Observation) -> tuple[list[tuple[int, float]], float, str]:
    """How far each candidate that occurred moved against a new one while the contexts are the same, and how they part.

    With the place of each that was generated before, and 0 for one that stood in the prompt only: not every server looks at that.
    Between the two, how far noise alone may move one: new candidates do not move against each other but by noise and rounding.
    """
    occurred, generated = _prompt_ids(plain), set[int]()
    moves: list[tuple[int, float]] = []
    noise: list[float] = []
    prompt = plain.asked.inputs
    rows = zip(plain.tokens or [], penalized.tokens or [], plain.top_tokens or [], penalized.top_tokens or [], strict=False)
    for place, (token, other, candidates, penalized_candidates) in enumerate(rows, 1):
        before, after = by_id(candidates), by_id(penalized_candidates)
        # a token whose text is no part of the prompt is none of the prompt's tokens
        new = {one["id"] for one in candidates if _is_new(one, occurred, prompt)} & before.keys() & after.keys()
        if new:
            best = max(new, key=lambda number: before[number])
            shared = sorted(before.keys() & after.keys() & occurred)
            moved = {n: (after[n] - after[best]) - (before[n] - before[best]) for n in (*shared, *new)}
            moves += [(place if n in generated else 0, moved[n]) for n in shared]
            noise += [abs(moved[n]) for n in new if n != best]
        if token.get("id") != other.get("id"):
            return moves, _still(noise), _way(token, other, before, occurred, prompt)
        if is_integer(token.get("id")):
            occurred.add(token["id"])
            generated.add(token["id"])
    return moves, _still(noise), _NO_WAY


def _still(noise: list[float]) -> float:
    """Nats beyond which noise of this size moves nothing: six times the median is four standard deviations."""
    return max(UNMOVED, 6 * median(noise or [0.0]))


def _way(token: Json, other: Json, before: dict[int, float], occurred: set[int], prompt: str) -> str:
    """How a reply without a penalty that goes on with ``token`` parts from one with it that goes on with ``other``."""
    if _occurred(token, occurred) and _is_new(other, occurred, prompt):
        return _RIGHT_WAY
    ranked = sorted(before.values(), reverse=True)
    clear = len(ranked) > 1 and ranked[0] - ranked[1] > LOGPROB_TOLERANCE
    return _WRONG_WAY if _is_new(token, occurred, prompt) and _occurred(other, occurred) and clear else _NO_WAY


def _prompt_ids(plain: Observation) -> set[int]:
    """The ids of the prompt's tokens, as far as they are told: a penalty holds for them too in every known server."""
    return {token["id"] for token in objects(plain.detail("prefill")) if is_integer(token.get("id"))}


def _occurred(token: Json, occurred: set[int]) -> bool:
    return is_integer(token.get("id")) and token["id"] in occurred


def _is_new(token: Json, occurred: set[int], prompt: str) -> bool:
    text = token.get("text")
    if not isinstance(text, str) or not is_integer(token.get("id")):
        return False
    return bool(text.strip()) and text.strip() not in prompt and token["id"] not in occurred


@clause("parameters.do_sample.penalties", of="drawn-penalized")
def penalties_act_on_draws(pair: Group) -> Outcome:
    """Greedy with a penalty, then drawn with it and nothing else: as long as the tokens are the same, so are the candidates."""
    greedy, drawn = pair.members
    if not pair.all_generated or not greedy.top_tokens or not drawn.top_tokens:
        return Skip("the endpoint does not tell `top_tokens`, so that penalties cannot be seen")
    places = len(list(same_contexts(greedy, drawn)))
    told = list(zip(greedy.top_tokens, drawn.top_tokens, strict=False))[:places]
    return first(candidates_differ(place, one, other, "of the greedy request") for place, (one, other) in enumerate(told, 1))
