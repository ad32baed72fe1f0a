"""What sampling parameters leave of a distribution, by hand and against the whole of it."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_tests.laws import (
    Law,
    agrees,
    keep_top_k,
    keep_top_p,
    keep_typical,
    laws,
    moved_laws,
    tells,
    tells_each,
    temper,
    told,
)

FOUR = Law({1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1})


def kept(law: Law | None) -> list[int]:
    assert law is not None
    return list(law.weights)


def test_top_k_keeps_the_heaviest() -> None:
    assert [1, 2] == kept(keep_top_k(FOUR, 2))


def test_top_k_over_what_is_told_bounds_what_is_not() -> None:
    """Five of twelve carry a good part of them, whoever the other seven are, and next to nothing of a vocabulary."""
    raw = told({id: math.log(0.01) for id in range(5)})
    law = keep_top_k(raw, 12)

    assert agrees({id: math.log(1 / 12) for id in range(5)}, law, tolerance=0.05, most=5)
    assert not agrees({id: math.log(0.01) for id in range(5)}, law, tolerance=0.05, most=5)


def test_top_p_keeps_the_token_that_reaches_it() -> None:
    assert [1, 2] == kept(keep_top_p(FOUR, 0.55))


def test_typical_p_keeps_what_is_nearest_to_the_entropy() -> None:
    """The entropy is 1.28 nats; .3 lies at 1.20 and is the nearest, then .2 at 1.61, then .4 at 0.92."""
    assert [2] == kept(keep_typical(FOUR, 0.2))
    assert [2, 3] == kept(keep_typical(FOUR, 0.45))


def test_temperature_takes_roots_of_the_weights() -> None:
    law = temper(Law({1: 0.64, 2: 0.36}), 2.0)

    assert law is not None
    assert pytest.approx({1: math.log(0.8 / 1.4), 2: math.log(0.6 / 1.4)}) == law.logprobs()


@pytest.mark.parametrize(
    "law",
    [keep_top_k(Law({1: 0.5, 2: 0.25, 3: 0.25}), 2), keep_top_p(FOUR, 0.7), keep_top_p(Law({1: 0.4, 2: 0.2}, 0.4, 0.4), 0.6)],
    ids=["a tie", "a sum at the boundary", "the tail decides"],
)
def test_what_rounding_or_the_tail_decides_is_not_known(law: Law) -> None:
    assert not law.certain


def test_a_nucleus_beyond_what_is_told_keeps_all_of_that() -> None:
    law = keep_top_p(Law({1: 0.4, 2: 0.2}, 0.4, 0.4), 0.9)

    assert [1, 2] == kept(law)
    assert law is not None
    assert not law.whole


def test_two_orders_leave_two_laws() -> None:
    """Cold first, .4 alone reaches half of it; the nucleus first, .4 and .3 stay, and are cooled."""
    cold_first, cold_last = (law for law in laws(FOUR, {"temperature": 0.5, "top_p": 0.5}) if law is not None)

    assert {1} == set(cold_first.weights) or {1} == set(cold_last.weights)
    assert {1, 2} == set(cold_first.weights) or {1, 2} == set(cold_last.weights)


# ---------------------------------------------------------------- against the whole distribution
VISIBLE = 5
WEIGHTS = st.lists(st.floats(0.01, 1.0), min_size=6, max_size=60, unique=True)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0.1, 0.5, 0.7, 1.5, 2.0]),
        "top_k": st.integers(1, 4),
        "top_p": st.floats(0.05, 0.95),
        "typical_p": st.floats(0.05, 0.95),
    },
)


def whole_law(weights: list[float], settings: dict[str, float], order: tuple[str, ...]) -> dict[int, float]:
    """id -> logprob of what is left of the whole distribution, without bounds and without margins."""
    law = dict(enumerate(sorted((weight / sum(weights) for weight in weights), reverse=True)))
    for name in order:
        value = settings[name]
        if name == "temperature":
            law = {id: p ** (1 / value) for id, p in law.items()}
        elif name == "top_k":
            law = dict(list(law.items())[: int(value)])
        total = sum(law.values())
        law = {id: p / total for id, p in law.items()}
        if name in ("top_p", "typical_p"):
            entropy = -sum(p * math.log(p) for p in law.values() if p > 0)
            distance = {id: -p if name == "top_p" else abs(-math.log(p) - entropy) for id, p in law.items() if p > 0}
            stay, mass = set(), 0.0
            for id in sorted(distance, key=distance.__getitem__):
                stay.add(id)
                mass += law[id]
                if mass >= value:
                    break
            law = {id: p for id, p in law.items() if id in stay}
    total = sum(law.values())
    return {id: math.log(p / total) for id, p in law.items() if p / total > 1e-12}


@given(WEIGHTS, SETTINGS)
def test_the_law_of_a_right_server_is_one_of_those(weights: list[float], settings: dict[str, float]) -> None:
    """Whatever the order in which it applies them."""
    raw = whole_law(weights, {}, ())
    seen = told({id: round(value, 6) for id, value in list(raw.items())[:VISIBLE]})
    possible = laws(seen, settings)
    for order in permutations(sorted(settings)):
        final = whole_law(weights, settings, order)
        reported = {id: round(value, 6) for id, value in sorted(final.items(), key=lambda item: -item[1])[:VISIBLE]}
        tolerance = 0.05 / min(1.0, settings.get("temperature", 1.0))

        assert None in possible or any(agrees(reported, law, tolerance=tolerance, most=VISIBLE) for law in possible if law)


def test_what_divides_and_what_adds_acts_anywhere_among_the_others() -> None:
    """Logits 2 and 0, of which the first is halved, or a half is taken from it; then at temperature 2, or before."""
    bare = Law({1: math.exp(2.0), 2: 1.0})
    asked = {"temperature": 2.0}
    for moved, right in ((1.0, {0.5}), (1.5, {0.75, 0.5})):
        possible = moved_laws(bare, Law({1: math.exp(moved), 2: 1.0}), asked)
        gaps = {round(math.log(law.weights[1] / law.weights[2]), 6) for law in possible if law}

        assert right <= gaps


def test_each_of_several_shows_or_does_not() -> None:
    moved = Law({3: 0.6, 4: 0.3, 2: 0.07, 1: 0.03})

    assert tells_each(FOUR, moved, {"temperature": 3.0})
    assert not tells_each(FOUR, moved, {"temperature": 1.01})
    assert not tells_each(FOUR, FOUR, {"temperature": 3.0})


@pytest.mark.parametrize("logprobs", [{}, {1: -1e30, 2: -1e30}, {1: -0.1}, {1: 0.0, 2: 0.0, 3: 0.0}], ids=str)
def test_what_is_no_law_tells_nothing_and_breaks_nothing(logprobs: dict[int, float]) -> None:
    settings = [
        {"typical_p": 0.3},
        {"temperature": 0.01, "top_p": 0.5},
        {"temperature": 100.0, "typical_p": 0.9},
        {"top_k": 4, "top_p": 0.01},
    ]

    assert all(tells(told(logprobs), setting, name) in (True, False) for setting in settings for name in setting)
