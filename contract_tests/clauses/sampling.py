"""Clauses of drawing: repetition, extremes, seeds, and the law of `temperature`.

Whatever is random states its chance of accusing a right server, computed from the logprobs that the endpoint itself reports, and
judges only below ``statistics.ALPHA``.
Extremes: a warper driven to its end leaves the greedy tokens, whatever the model (Holtzman et al. 2020, arXiv:1904.09751, for top_p).
"""

from __future__ import annotations

import math

from contract_tests import statistics
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import by_id, first_candidates, first_id, same_draws, same_pair, same_text
from contract_tests.observation import ABOVE_ZERO, Group, Json, Observation, is_integer, is_number, numbers, shorten

COLD = 0.01
"""The temperature of the cold extreme: it raises every ratio of probabilities to the 100th power."""

SMALL = 0.01
"""The top_p of the small extreme."""


@clause("parameters.do_sample.greedy", of="repeat-greedy")
def same_request_same_text(pair: Group) -> Outcome:
    once, again = pair.members
    return same_text(once, again, ("the first request", "of the same request again"))


@clause("parameters.seed.repeats", of="repeat-seeded")
def same_seed_same_draw(group: Group) -> Outcome:
    return same_draws(group, ("the first request", "of the same request again"))


# ---------------------------------------------------------------- extremes
@clause("parameters.top_k.one", of="top_k-one")
def top_k_one_is_greedy(pair: Group) -> Outcome:
    return same_pair(pair, ("greedy generation", "with `top_k` 1"))


@clause("parameters.top_p.small", of="top_p-small")
def small_top_p_is_greedy(pair: Group) -> Outcome:
    greedy = pair.members[0]
    logprobs = numbers(token.get("logprob") for token in greedy.tokens or [])
    if logprobs is None:
        return Skip("the endpoint tells no logprobs, so nothing bounds the nucleus", inconclusive=True)
    if min(logprobs) < math.log(2 * SMALL):
        return Skip(f"a greedy token is less likely than `top_p` {SMALL}: another prompt would tell", inconclusive=True)
    return same_pair(pair, ("greedy generation", f"with `top_p` {SMALL}"))


@clause("parameters.temperature.cold", of="temperature-cold")
def cold_temperature_is_greedy(pair: Group) -> Outcome:
    greedy = pair.members[0]
    bounds = [_chance_of_another(candidates) for candidates in greedy.top_tokens or []]
    if not bounds:
        return Skip("the endpoint tells no `top_tokens`, so nothing bounds the chance of another token", inconclusive=True)
    if sum(bounds) > statistics.ALPHA:
        return Skip(
            f"two candidates are too close: a right server differs with chance up to {sum(bounds):.1e}", inconclusive=True
        )
    return same_pair(pair, ("greedy generation", f"with `temperature` {COLD}"))


def _chance_of_another(candidates: list[Json]) -> float:
    """Upper bound on drawing anything but the likeliest at ``COLD``: sum of (p_i / p_1)^(1/T), the unseen tail as if all at the last p."""
    logprobs = numbers(candidate.get("logprob") for candidate in candidates)
    if logprobs is None or len(logprobs) < 2 or max(logprobs) > ABOVE_ZERO:
        return 1.0
    top, *others = sorted(logprobs, reverse=True)
    seen = sum(math.exp((value - top) / COLD) for value in others)
    tail_mass = max(0.0, 1.0 - sum(math.exp(value) for value in (top, *others)))
    tail_count = tail_mass / math.exp(others[-1]) if others[-1] > -700 else math.inf
    tail = 0.0 if tail_mass == 0 else tail_count * math.exp((others[-1] - top) / COLD)
    return min(1.0, seen + tail)


# ---------------------------------------------------------------- draws
@clause("parameters.do_sample.samples", of="draws")
def sampling_leaves_the_greedy_path(group: Group) -> Outcome:
    """The first member is greedy, the others draw with other seeds at temperature 1; a right server repeats the greedy text by chance."""
    greedy, *drawn = group.members
    if not group.all_generated:
        return Skip("a request that samples was not answered with text")
    if any(draw.new_text != greedy.new_text for draw in drawn):
        return None
    if greedy.path is None:
        return Skip("the endpoint tells no logprobs, so nothing bounds the chance of drawing the greedy text", inconclusive=True)
    chance = math.exp(greedy.path * len(drawn))
    if chance > statistics.ALPHA:
        return Skip(f"the greedy text is too likely: drawn {len(drawn)} times with chance {chance:.1e}", inconclusive=True)
    return Violation(
        f"draws that differ from greedy generation (chance of none that does: {chance:.1e})",
        f"{len(drawn)} times {shorten(greedy.new_text)}",
    )


@clause("parameters.seed.differs", of="draws")
def other_seeds_draw_otherwise(group: Group) -> Outcome:
    """All draws the same: with chance p^(n-1), p the chance of that text, which its logprobs tell."""
    _, *drawn = group.members
    if not group.all_generated:
        return Skip("a request that samples was not answered with text")
    if any(draw.new_text != drawn[0].new_text for draw in drawn[1:]):
        return None
    if drawn[0].path is None:
        return Skip("the endpoint tells no logprobs, so nothing bounds the chance of equal draws", inconclusive=True)
    chance = math.exp(drawn[0].path * (len(drawn) - 1))
    if chance > statistics.ALPHA:
        return Skip(f"the text is too likely: drawn {len(drawn)} times with chance {chance:.1e}", inconclusive=True)
    seeds = [draw.asked.get("seed") for draw in drawn]
    return Violation(
        f"other texts for other seeds (chance of none: {chance:.1e})",
        f"seeds {shorten(seeds)} all give {shorten(drawn[0].new_text)}",
    )


# ---------------------------------------------------------------- laws
@clause("parameters.do_sample.probabilities", of="first-temperature")
def draws_follow_the_reported_law(group: Group) -> Outcome:
    """The first member is greedy and tells the law of the first token; the others draw it at one temperature, each with another seed.

    Anytime-valid: a right server is accused with chance at most ``statistics.ALPHA`` (see there).
    """
    greedy, *drawn = group.members
    law = first_candidates(greedy)
    temperature = drawn[0].asked.get("temperature")
    temperature = 1.0 if temperature is None else temperature
    ids = [first_id(draw) for draw in drawn]
    if len(law) < 2 or not is_number(temperature):
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    null = statistics.tempered(law, temperature)
    others = [statistics.tempered(law, other) for other in ACTS_AS if abs(other - temperature) > 1e-9]
    if statistics.refuses(ids, null, others, alpha=statistics.ALPHA / LOOKS):
        told = {str(id): round(probability, 3) for id, probability in null.items()}
        counted = {str(id): ids.count(id) for id in sorted(set(ids), key=ids.count, reverse=True)}
        return Violation(
            f"first tokens drawn at `temperature` {temperature:g} with the probabilities {shorten(told)}", shorten(counted)
        )
    if statistics.tells_apart(ids, null, others):
        return None
    needed = statistics.draws_needed(null, others)
    return Skip(
        f"{len(ids)} draws do not tell `temperature` {temperature:g} from others: about {needed} would", inconclusive=True
    )


@clause("parameters.do_sample.probabilities", of="all-draws")
def each_token_follows_its_own_law(group: Group) -> Outcome:
    """Drawn at temperature 1 with nothing else: at each place the reported logprobs are the law of that very draw, under either convention.

    Anytime-valid as ``statistics`` says: one look, over all places of all draws.
    """
    places = [place for draw in group.members for place in _places(draw)]
    if not group.all_generated or not places:
        return Skip("the endpoint does not tell `top_tokens` with logprobs of its draws")
    ratios = statistics.log_ratios_of_places(places, READS_AS)
    ratio = statistics.log_average(ratios)
    if ratio > -math.log(statistics.ALPHA / LOOKS):
        rank_one = sum(id == max(law, key=lambda each: law[each]) for id, law in places)
        expected = sum(max(law.values()) for _, law in places)
        return Violation(
            f"draws with the probabilities that are reported: the likeliest token about {expected:.0f} of {len(places)} times",
            f"{rank_one} times (evidence {math.exp(min(ratio, 700)):.1e} to 1)",
        )
    if max(ratios) < -math.log(1000):
        return None
    return Skip(f"{len(places)} draws do not tell whether the reported probabilities are theirs", inconclusive=True)


def _places(draw: Observation) -> list[tuple[int, dict[int, float]]]:
    """For each token drawn its id and the probabilities that were reported for its place."""
    found = []
    for token, candidates in zip(draw.tokens or [], draw.top_tokens or [], strict=False):
        law = {id: math.exp(min(value, 0.0)) for id, value in by_id(candidates).items()}
        if len(law) > 1 and len(law) == len(candidates) and sum(law.values()) <= 1.001 and is_integer(token.get("id")):
            found.append((token["id"], law))
    return found


LOOKS = 5
"""Tests that one clause makes in a run, among which its chance of a wrong accusation is divided."""

READS_AS = (0.01, 0.5, 1 / math.log2(math.e), 2.0, math.log2(math.e))
"""Temperatures at which the draws look to be taken of a server that reports other logprobs than it draws by, log2 for one."""

ACTS_AS = (0.01, 0.5, 1.0, 2.0)
"""Temperatures as which a wrong server may act: greedy, inverted, ignored."""
