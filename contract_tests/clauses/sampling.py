"""Clauses of drawing: repetition, extremes, seeds, and the law of `temperature`.

Whatever is random states its chance of accusing a right server, computed from the logprobs that the endpoint itself reports, and
judges only below ``statistics.ALPHA``.
Extremes: a warper driven to its end leaves the greedy tokens, whatever the model (Holtzman et al. 2020, arXiv:1904.09751, for top_p).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations

from contract_tests import statistics
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import (
    by_id,
    first_candidates,
    first_id,
    ids,
    reports_final_logprobs,
    same_draws,
    same_pair,
    same_text,
)
from contract_tests.observation import ABOVE_ZERO, Group, Observation
from contract_tests.values import Json, is_integer, is_number, numbers, shorten

COLD = 0.01
"""The temperature of the cold extreme: it raises every ratio of probabilities to the 100th power."""

SMALL = 1e-05
"""The top_p of the small extreme; JSON writes it with an exponent, which a server must read as well."""


@clause("parameters.do_sample.greedy", of="repeat-greedy")
def same_request_same_text(pair: Group) -> Outcome:
    once, again = pair.members
    return same_text(once, again, ("the first request", "of the same request again"))


@clause("parameters.seed.greedy", of="seeded-greedy")
def seed_draws_nothing_by_itself(pair: Group) -> Outcome:
    return same_pair(pair, ("greedy generation", "with a `seed` and `do_sample` false"))


@clause("parameters.seed.repeats", of="repeat-seeded")
def same_seed_same_draw(group: Group) -> Outcome:
    return same_draws(group, ("the first request", "of the same request again"))


@clause("parameters.details.neutral", of="details-drawn")
@clause("parameters.top_n_tokens.neutral", of="top_n_tokens-drawn")
def what_is_told_draws_nothing_else(group: Group) -> Outcome:
    return same_draws(group, ("the draw that tells less", "of the draw that tells more"))


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
@clause("parameters.do_sample.samples", of="unlimited-draw")
def sampling_leaves_the_greedy_path(group: Group) -> Outcome:
    """The first member is greedy, the others draw with other seeds at temperature 1; a right server repeats the greedy text by chance.

    One that does is enough where that is unlikely: sampling may be lost for some seeds, or where no limit is given.
    """
    greedy, *drawn = group.members
    if not group.all_generated:
        return Skip("a request that samples was not answered with text")
    same = [draw for draw in drawn if _repeats(greedy, draw)]
    if not same:
        return None
    paths = [path for draw in same if (path := _shared_path(greedy, draw)) is not None]
    chance = min(1.0, math.comb(len(drawn), len(same)) * math.exp(sum(paths))) if len(paths) == len(same) else 1.0
    if chance > statistics.ALPHA and len(same) < len(drawn):
        return None
    if len(paths) < len(same):
        return Skip("the endpoint tells no logprobs, so nothing bounds the chance of drawing the greedy text", inconclusive=True)
    if chance > statistics.ALPHA:
        return Skip(f"the greedy text is too likely: drawn {len(same)} times with chance {chance:.1e}", inconclusive=True)
    return Violation(
        f"draws that differ from greedy generation (chance that {len(same)} of {len(drawn)} do not: {chance:.1e})",
        f"{len(same)} times {shorten(same[0].new_text)}",
    )


def _repeats(greedy: Observation, draw: Observation) -> bool:
    """Whether the draw is the greedy text, as far as both were let go on."""
    one, other = ids(greedy) or [], ids(draw) or []
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared] if shared else greedy.new_text == draw.new_text


def _shared_path(greedy: Observation, draw: Observation) -> float | None:
    """Logarithm of the chance, at most, of the greedy tokens, as many as the draw has too; None where it is not told.

    Under a grammar only places count where it acted before what is reported: it makes likely what was unlikely.
    """
    shared = (greedy.tokens or [])[: len(draw.tokens or [])]
    untold = 0.0
    if greedy.asked.get("grammar") is not None:
        shared = [token for token, candidates in zip(shared, greedy.top_tokens or [], strict=False) if _only_letters(candidates)]
        untold = -math.log(WHOLE)
    logprobs = numbers(token.get("logprob") for token in shared)
    return None if logprobs is None or max(logprobs) > ABOVE_ZERO else sum(min(0.0, value + untold) for value in logprobs)


@clause("parameters.seed.differs", of="draws")
def other_seeds_draw_otherwise(group: Group) -> Outcome:
    """Two seeds give the same text with chance p, the chance of that text, which its logprobs tell."""
    _, *drawn = group.members
    if not group.all_generated:
        return Skip("a request that samples was not answered with text")
    pairs = list(combinations(drawn, 2))
    same = [(one, other) for one, other in pairs if one.new_text == other.new_text]
    if not same:
        return None
    paths = [one.path for one, _ in same if one.path is not None]
    if not paths:
        return Skip("the endpoint tells no logprobs, so nothing bounds the chance of equal draws", inconclusive=True)
    chance = min(math.exp(min(paths)) * len(pairs), math.exp(sum(paths[: len(drawn) - 1])) if len(same) == len(pairs) else 1.0)
    if chance > statistics.ALPHA:
        return (
            None
            if len(same) < len(pairs)
            else Skip(f"the text is too likely: drawn again with chance {chance:.1e}", inconclusive=True)
        )
    seeds = [draw.asked.get("seed") for draw in same[0]]
    return Violation(
        f"other texts for other seeds (chance of the same: {chance:.1e})",
        f"seeds {shorten(seeds)} both give {shorten(same[0][0].new_text)}",
    )


@clause("parameters.seed.differs", of="near-seeds")
@clause("parameters.seed.high-bits", of="far-seeds")
def a_bit_of_the_seed_counts(group: Group) -> Outcome:
    """Pairs of draws, each pair on another prompt, whose seeds lie equally far apart: all give the same text by chance only."""
    pairs = list(zip(group.members[::2], group.members[1::2], strict=True))
    if not group.all_generated:
        return Skip("a seed was refused")
    if any(one.new_text != other.new_text for one, other in pairs):
        return None
    chance = chance_of_repetition(group.members[::2])
    if chance is None or chance > statistics.ALPHA / LOOKS:
        return Skip("the texts are too likely: nothing tells whether both seeds are looked at", inconclusive=True)
    seeds = [member.asked.get("seed") for member in group.members[:2]]
    return Violation(
        f"other texts for other seeds (chance of the same: {chance:.1e})",
        f"seeds {shorten(seeds)}, and {len(pairs) - 1} such pairs more, give the same: {shorten(pairs[0][0].new_text)}",
    )


def chance_of_repetition(draws: Iterable[Observation]) -> float | None:
    """How likely it is that other seeds draw these texts again, which their logprobs tell; None where they do not."""
    paths = [draw.path for draw in draws]
    known = [path for path in paths if path is not None]
    return math.exp(sum(known)) if len(known) == len(paths) else None


def _only_letters(candidates: list[Json]) -> bool:
    """Whether nothing is told but what a grammar of ``WRITTEN`` allows, and hardly anything is left untold."""
    told = sum(math.exp(value) for value in by_id(candidates).values())
    return told > WHOLE and all(set(str(one.get("text"))) <= WRITTEN for one in candidates)


WHOLE = 0.98
"""Probability above which what is told of a place is said to be nearly all."""

WRITTEN = set("ABCDE")
"""What the grammar allows under which draws are held against greedy generation."""


# ---------------------------------------------------------------- laws
@clause("parameters.do_sample.probabilities", of="first-temperature")
def draws_follow_the_reported_law(group: Group) -> Outcome:
    """Greedy members tell the law of the first token; those behind each draw it at one temperature, each with another seed.

    A right server is accused with chance at most ``statistics.ALPHA`` (see there).
    """
    batches = _batches(group)
    if not batches:
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    if statistics.log_e_value(batches, list(READINGS.values())) > -math.log(statistics.ALPHA / LOOKS):
        worst = max(batches, key=lambda batch: statistics.log_e_value([batch], list(READINGS.values())))
        told = {str(id): round(probability, 3) for id, probability in worst.null.items()}
        counted = {str(id): worst.draws.count(id) for id in sorted(set(worst.draws), key=worst.draws.count, reverse=True)}
        return Violation(
            f"first tokens drawn at `temperature` {worst.temperature:g} with the probabilities {shorten(told)}", shorten(counted)
        )
    likeliest = max(READINGS, key=lambda name: statistics.log_ratio_as(batches, READINGS[name]))
    if statistics.log_ratio_as(batches, READINGS[likeliest]) < -math.log(1000):
        return None
    count = sum(len(batch.draws) for batch in batches)
    return Skip(f"{count} draws do not tell whether `temperature` is {likeliest}: more would", inconclusive=True)


def _batches(group: Group) -> list[statistics.Batch]:
    """What was drawn behind each greedy member, as far as that one tells the law."""
    found: list[statistics.Batch] = []
    law: dict[int, float] = {}
    for member in group.members:
        temperature = member.asked.get("temperature")
        if not member.asked.samples:
            law = first_candidates(member)
        elif len(law) > 1:
            told = float(temperature) if is_number(temperature) else 1.0
            if not (found and found[-1].logprobs is law):
                found.append(statistics.Batch([], law, told))
            found[-1].draws.append(first_id(member))
    return found


@clause("parameters.do_sample.probabilities", of="all-draws")
def each_token_follows_its_own_law(group: Group) -> Outcome:
    """Drawn at temperature 1 with nothing else: at each place the reported logprobs are the law of that very draw, under either convention.

    Draws at another temperature are judged where they are reported behind it, as the second member, with `top_k` 1, tells.
    Anytime-valid as ``statistics`` says: one look, over all places of all draws.
    """
    greedy, top_k_one, *drawn = group.members
    final = reports_final_logprobs(top_k_one, greedy)
    places = [place for draw in drawn if final or draw.asked.get("temperature") is None for place in _places(draw)]
    if not group.all_generated or not places:
        return Skip("the endpoint does not tell `top_tokens` with logprobs of its draws")
    ratio = statistics.log_average(statistics.log_ratios_of_places(places, READS_AS))
    if ratio > -math.log(statistics.ALPHA / LOOKS):
        rank_one = sum(place.id == max(place.law, key=place.law.__getitem__) for place in places)
        expected = sum(max(place.law.values()) for place in places)
        return Violation(
            f"draws with the probabilities that are reported: the likeliest token about {expected:.0f} of {len(places)} times",
            f"{rank_one} times (evidence {math.exp(min(ratio, 700)):.1e} to 1)",
        )
    if max(statistics.log_ratios_of_readings(places, BROAD)) < -math.log(1000):
        return None
    return Skip(f"{len(places)} draws do not tell whether the reported probabilities are theirs", inconclusive=True)


def _places(draw: Observation) -> list[statistics.Drawn]:
    """Each token with the probabilities that were reported for its place."""
    found = []
    asked = draw.asked.get("temperature")
    temperature = float(asked) if is_number(asked) else 1.0
    for number, (token, candidates) in enumerate(zip(draw.tokens or [], draw.top_tokens or [], strict=False), 1):
        law = {id: math.exp(min(value, 0.0)) for id, value in by_id(candidates).items()}
        if (
            len(law) > 1
            and len(law) == len(candidates)
            and LIKELIEST < sum(law.values()) <= 1.001
            and is_integer(token.get("id"))
        ):
            found.append(statistics.Drawn(token["id"], law, number, temperature))
    return found


LIKELIEST = 1e-6
"""Probability that the candidates of a place must have together for them to be a law of anything."""

LOOKS = 2
"""Tests that one clause makes in a run, among which its chance of a wrong accusation is divided."""

READINGS: dict[str, statistics.Reading] = {
    "ignored": lambda _: 1.0,
    "inverted": lambda temperature: 1 / temperature,
    "halved": lambda temperature: temperature / 2,
    "doubled": lambda temperature: temperature * 2,
    "taken as 0": lambda _: 0.01,
}
"""What a wrong server may make of a temperature."""

BROAD = (READINGS["taken as 0"], READINGS["halved"], READINGS["doubled"])
"""What must be ruled out before draws are said to follow what is reported, whatever the temperature."""

READS_AS = (
    *READINGS.values(),
    lambda temperature: temperature * math.log2(math.e),
    lambda temperature: temperature / math.log2(math.e),
)
"""As which temperature draws look to be taken of a server that reports other logprobs than it draws by, log2 for one."""
