"""The test of draws accuses no right server and finds the wrong ones: simulated, without HTTP."""

from __future__ import annotations

import math
import random

import pytest

from contract_tests.statistics import (
    ALPHA,
    ROUNDING,
    draws_needed,
    guarded,
    log_average,
    log_e_of_partings,
    log_e_value,
    log_ratios_of_places,
    refuses,
    tells_apart,
    tempered,
)

PEAKED = {place: math.log(p) for place, p in enumerate((0.55, 0.15, 0.08, 0.05, 0.03))}
FLAT = {place: math.log(p) for place, p in enumerate((0.08, 0.07, 0.06, 0.05, 0.05))}
WRONG = (1.0, 2.0, 4.0, 0.25, 0.01)


def law_and_alternatives(logprobs: dict[int, float], temperature: float) -> tuple[dict[int, float], list[dict[int, float]]]:
    return tempered(logprobs, temperature), [tempered(logprobs, other) for other in WRONG if other != temperature]


def drawn(law: dict[int, float], count: int, seed: int) -> list[int]:
    return random.Random(seed).choices(list(law), list(law.values()), k=count)


def test_tempering_by_hand() -> None:
    law = tempered({1: math.log(0.8), 2: math.log(0.2)}, 0.5)

    assert law == pytest.approx({1: 16 / 17, 2: 1 / 17})


@pytest.mark.parametrize("logprobs", [PEAKED, FLAT], ids=["peaked", "flat"])
def test_ten_thousand_right_servers_are_not_accused(logprobs: dict[int, float]) -> None:
    null, alternatives = law_and_alternatives(logprobs, 0.5)
    limit = -math.log(ALPHA)

    assert 0 == sum(log_e_value(drawn(null, 40, seed), null, alternatives) > limit for seed in range(10_000))


def test_right_servers_are_not_accused_at_any_moment() -> None:
    null, alternatives = law_and_alternatives(PEAKED, 0.5)

    assert 0 == sum(refuses(drawn(null, 60, seed), null, alternatives) for seed in range(100))


def test_a_right_server_with_the_noise_of_sixteen_bits_is_not_accused() -> None:
    null, alternatives = law_and_alternatives(PEAKED, 0.5)
    noisy = {id: p * (1.015 if id % 2 else 0.985) for id, p in null.items()}

    assert 0 == sum(refuses(drawn(noisy, 100, seed), null, alternatives) for seed in range(40))


@pytest.mark.parametrize(("asked", "acts_as"), [(0.5, 1.0), (0.5, 2.0), (2.0, 0.5), (2.0, 0.01), (1.0, 0.01)])
def test_a_wrong_temperature_is_found(asked: float, acts_as: float) -> None:
    null, alternatives = law_and_alternatives(PEAKED, asked)

    assert all(refuses(drawn(tempered(PEAKED, acts_as), 300, seed), null, alternatives) for seed in range(20))


def test_what_speaks_for_the_null_tells_the_alternatives_apart() -> None:
    null, alternatives = law_and_alternatives(PEAKED, 0.5)

    assert tells_apart(drawn(null, 300, 1), null, alternatives)
    assert not tells_apart(drawn(null, 3, 1), null, alternatives)


def test_the_number_of_draws_that_would_tell_is_of_the_right_size() -> None:
    null, alternatives = law_and_alternatives(PEAKED, 0.5)

    assert 20 < draws_needed(null, alternatives) < 300


def test_draws_of_what_is_not_told_are_left_out() -> None:
    null, alternatives = law_and_alternatives(PEAKED, 0.5)

    assert log_e_value([0, 1], null, alternatives) == log_e_value([99, 0, 98, 1], null, alternatives)


def test_the_guard_is_above_every_probability() -> None:
    assert all(p < guarded(p) for p in (0.0, 0.3, 0.99))
    assert 1.0 == guarded(1.0)


# ---------------------------------------------------------------- draws that each have a law of their own
OTHERS = (0.01, 0.5, 0.7, 2.0, 1.44)


def places(seed: int, *, count: int = 150, told_as: float = 1.0) -> list[tuple[int, dict[int, float]]]:
    """Draws of laws that change from place to place, five tokens of forty told; logprobs are told times ``told_as``."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        whole = tempered(dict(enumerate(dice.gauss(0, 2) for _ in range(40))), 1.0)
        likeliest = sorted(whole, key=lambda id: -whole[id])[:5]
        id = dice.choices(list(whole), list(whole.values()))[0]
        found.append((id, {each: whole[each] ** told_as for each in likeliest}))
    return found


def test_right_servers_are_not_accused_over_all_places() -> None:
    limit = -math.log(ALPHA)

    assert 0 == sum(log_average(log_ratios_of_places(places(seed), OTHERS)) > limit for seed in range(400))


def test_logprobs_by_which_nobody_draws_are_found() -> None:
    limit = -math.log(ALPHA)

    assert all(log_average(log_ratios_of_places(places(seed, told_as=2.0), OTHERS)) > limit for seed in range(20))


def test_what_is_drawn_as_told_speaks_against_each_other_temperature() -> None:
    assert all(max(log_ratios_of_places(places(seed, count=300), OTHERS)) < -math.log(1000) for seed in range(20))


# ---------------------------------------------------------------- pairs of the same draw
def partings(seed: int, chance: float, *, pairs: int = 16, length: int = 12) -> list[int | None]:
    """For each pair the place at which it parts, where each place parts with ``chance``."""
    dice = random.Random(seed)
    return [next((place for place in range(1, length + 1) if dice.random() < chance), None) for _ in range(pairs)]


def test_rounding_that_lets_draws_part_now_and_then_accuses_nobody() -> None:
    limit = -math.log(ALPHA)

    assert 0 == sum(log_e_of_partings(partings(seed, ROUNDING)[:count]) > limit for seed in range(2_000) for count in (1, 4, 16))


def test_a_seed_that_is_ignored_is_found_within_sixteen_pairs() -> None:
    limit = -math.log(ALPHA)

    assert all(log_e_of_partings(partings(seed, 0.4)) > limit for seed in range(200))
