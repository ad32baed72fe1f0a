"""The test of draws accuses no right server and finds the wrong ones: simulated, without HTTP."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from operator import truediv
from typing import Any

import pytest

from contract_tests.statistics import (
    ALPHA,
    ROUNDING,
    Batch,
    Drawn,
    draws_needed,
    guarded,
    log_average,
    log_e_of_partings,
    log_e_value,
    log_ratio_as,
    log_ratios_of_places,
    log_ratios_of_readings,
    tempered,
)

PEAKED = {place: math.log(p) for place, p in enumerate((0.55, 0.15, 0.08, 0.05, 0.03))}
FLAT = {place: math.log(p) for place, p in enumerate((0.08, 0.07, 0.06, 0.05, 0.05))}
LIMIT = -math.log(ALPHA)
READINGS = {
    "ignored": lambda _: 1.0,
    "inverted": lambda temperature: 1 / temperature,
    "squared": lambda temperature: temperature**2,
    "cold": lambda _: 0.01,
}


def drawn(law: dict[int, float], count: int, seed: int) -> list[int]:
    return random.Random(seed).choices(list(law), list(law.values()), k=count)


def batches(logprobs: dict[int, float], count: int, seed: int, read_as: Callable[[float], float] = float) -> list[Batch]:
    """Draws asked for at two temperatures of a server that takes them as others."""
    return [Batch(drawn(tempered(logprobs, read_as(asked)), count, seed), logprobs, asked) for asked in (0.5, 2.0)]


def evidence(found: list[Batch]) -> float:
    return log_e_value(found, list(READINGS.values()))


def test_tempering_by_hand() -> None:
    law = tempered({1: math.log(0.8), 2: math.log(0.2)}, 0.5)

    assert law == pytest.approx({1: 16 / 17, 2: 1 / 17})


@pytest.mark.parametrize("logprobs", [PEAKED, FLAT], ids=["peaked", "flat"])
def test_five_thousand_right_servers_are_not_accused(logprobs: dict[int, float]) -> None:
    assert 0 == sum(evidence(batches(logprobs, 20, seed)) > LIMIT for seed in range(5_000))


def test_a_right_server_with_the_noise_of_sixteen_bits_is_not_accused() -> None:
    noisy = {id: p * (1.015 if id % 2 else 0.985) for id, p in tempered(PEAKED, 0.5).items()}

    assert 0 == sum(evidence([Batch(drawn(noisy, 100, seed), PEAKED, 0.5)]) > LIMIT for seed in range(400))


@pytest.mark.parametrize("name", READINGS)
def test_a_wrong_temperature_is_found(name: str) -> None:
    assert all(evidence(batches(PEAKED, 500, seed, READINGS[name])) > LIMIT for seed in range(20))


def test_what_speaks_for_the_null_tells_the_readings_apart() -> None:
    many, few = batches(PEAKED, 150, 1), batches(PEAKED, 3, 1)

    assert all(log_ratio_as(many, reading) < -math.log(1000) for reading in READINGS.values())
    assert not all(log_ratio_as(few, reading) < -math.log(1000) for reading in READINGS.values())


def test_the_number_of_draws_that_would_tell_is_of_the_right_size() -> None:
    null, others = tempered(PEAKED, 0.5), [tempered(PEAKED, other) for other in (1.0, 2.0, 0.25, 0.01)]

    assert 20 < draws_needed(null, others) < 300


def test_draws_of_what_is_not_told_are_left_out() -> None:
    assert evidence([Batch([0, 1], PEAKED, 0.5)]) == evidence([Batch([99, 0, 98, 1], PEAKED, 0.5)])


def test_the_guard_is_above_every_probability() -> None:
    assert all(p < guarded(p) for p in (0.0, 0.3, 0.99))
    assert 1.0 == guarded(1.0)


# ---------------------------------------------------------------- draws that each have a law of their own
OTHERS = tuple(partial(truediv, other) for other in (0.01, 0.5, 0.7, 2.0, 1.44))  # each temperature is asked for as 1


REPLY = 30


def places(
    seed: int, *, count: int = 240, told_as: float = 1.0, greedy_from: int = REPLY + 1, greedy_share: float = 0.0
) -> list[Drawn]:
    """Draws of laws that change from place to place, five tokens of forty told; logprobs are told times ``told_as``."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        whole = tempered(dict(enumerate(dice.gauss(0, 2) for _ in range(40))), 1.0)
        likeliest = sorted(whole, key=lambda id: -whole[id])[:5]
        place = number % REPLY + 1
        greedy = place >= greedy_from or dice.random() < greedy_share
        id = likeliest[0] if greedy else dice.choices(list(whole), list(whole.values()))[0]
        found.append(Drawn(id, {each: whole[each] ** told_as for each in likeliest}, place))
    return found


def test_right_servers_are_not_accused_over_all_places() -> None:
    assert 0 == sum(log_average(log_ratios_of_places(places(seed), OTHERS)) > LIMIT for seed in range(300))


@pytest.mark.parametrize(("told_as", "count"), [(2.0, 80), (math.log2(math.e), 200)])
def test_logprobs_by_which_nobody_draws_are_found(told_as: float, count: int) -> None:
    """Few candidates are told, so that what is not told seems to be most of each law."""
    assert all(log_average(log_ratios_of_places(places(seed, told_as=told_as, count=count), OTHERS)) > LIMIT for seed in range(20))


def test_logprobs_told_too_large_must_be_ruled_out_too() -> None:
    right, wrong = (max(log_ratios_of_readings(places(1, told_as=told_as), [])) for told_as in (1.0, 2.0))

    assert right < -math.log(1000) < wrong


@pytest.mark.parametrize("greedy", [{"greedy_from": 9}, {"greedy_from": 2}, {"greedy_share": 0.5}], ids=str)
def test_a_server_that_is_greedy_in_part_is_found(greedy: dict[str, Any]) -> None:
    assert all(log_average(log_ratios_of_places(places(seed, **greedy), OTHERS)) > LIMIT for seed in range(20))


def test_a_server_that_never_draws_the_likeliest_is_found() -> None:
    def evaded(seed: int) -> list[Drawn]:
        return [each for each in places(seed, count=400) if each.id != max(each.law, key=each.law.__getitem__)]

    assert all(log_average(log_ratios_of_places(evaded(seed), OTHERS)) > LIMIT for seed in range(20))


def test_what_is_drawn_as_told_speaks_against_each_other_temperature() -> None:
    assert all(max(log_ratios_of_readings(places(seed, count=300), OTHERS)) < -math.log(1000) for seed in range(20))


# ---------------------------------------------------------------- pairs of the same draw
def partings(seed: int, chance: float, *, pairs: int = 16, length: int = 12) -> list[int | None]:
    """For each pair the place at which it parts, where each place parts with ``chance``."""
    dice = random.Random(seed)
    return [next((place for place in range(1, length + 1) if dice.random() < chance), None) for _ in range(pairs)]


def test_rounding_that_lets_draws_part_now_and_then_accuses_nobody() -> None:
    assert 0 == sum(log_e_of_partings(partings(seed, ROUNDING)[:count]) > LIMIT for seed in range(2_000) for count in (1, 4, 16))


def test_a_seed_that_is_ignored_is_found_within_sixteen_pairs() -> None:
    assert all(log_e_of_partings(partings(seed, 0.4)) > LIMIT for seed in range(200))
