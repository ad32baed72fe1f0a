"""The chain: order, edges, and what must hold for any input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mockserver.sampler import Chain, Choice, Settings, raw_logprob

logits_of_any_kind = st.lists(st.integers(-20_000, 20_000), min_size=1, max_size=60).map(lambda v: np.array(v, np.int32))
full_range = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=30).map(lambda v: np.array(v, np.int32))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


settings_of_any_kind = st.builds(
    Settings,
    do_sample=st.booleans(),
    seed=st.integers(0, 2**64 - 1),
    temperature=st.sampled_from([1e-6, 0.1, 0.7, 1.0, 1.5, 10.0, 1e6]),
    top_k=maybe(st.integers(1, 100)),
    top_p=maybe(st.floats(1e-6, 1.0)),
    typical_p=maybe(st.floats(1e-6, 1.0)),
    repetition_penalty=maybe(st.sampled_from([1e-30, 0.5, 1.0, 1.2, 5.0, 1e30])),
    frequency_penalty=maybe(st.sampled_from([-1e30, -2.0, 0.0, 0.7, 1e30])),
    watermark=st.booleans(),
    top_n_tokens=st.integers(0, 5),
)


def context_for(logits: NDArray[np.int32], data: st.DataObject) -> list[int]:
    return data.draw(st.lists(st.integers(0, logits.size - 1), max_size=30))


def probabilities(chain: Chain, logits: NDArray[np.int32], context: list[int]) -> dict[int, float]:
    law = chain.distribution(logits, context)
    return dict(zip(law.ids.tolist(), np.exp(law.logprobs).tolist(), strict=True))


def choose(settings: Settings, values: list[int], context: list[int] | None = None, **more: Any) -> Choice:
    return Chain(settings).choose(np.array(values, np.int32), context or [], step=more.pop("step", 0), **more)


# what must hold for any input


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_probabilities_sum_to_one(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    law = probabilities(Chain(settings), logits, context_for(logits, data))

    assert sum(law.values()) == pytest.approx(1.0, abs=1e-5)


@given(full_range, settings_of_any_kind, st.data())
def test_a_choice_is_a_token_with_a_finite_logprob_at_most_zero(
    logits: NDArray[np.int32], settings: Settings, data: st.DataObject
) -> None:
    choice = Chain(settings).choose(logits, context_for(logits, data), step=0)

    assert 0 <= choice.id < logits.size
    assert -float("inf") < choice.logprob <= 0.0
    assert not str(choice.logprob).startswith("-0.0") or choice.logprob < 0.0


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_the_choice_comes_from_the_distribution(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    context = context_for(logits, data)
    chain = Chain(settings)
    law = chain.distribution(logits, context)
    choice = chain.choose(logits, context, step=3)

    assert (choice.id, choice.logprob) in zip(law.ids.tolist(), law.logprobs.tolist(), strict=True)


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_greedy_is_the_first_of_the_distribution(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    context = context_for(logits, data)
    chain = Chain(replace(settings, do_sample=False))

    assert chain.choose(logits, context, step=0).id == chain.distribution(logits, context).ids[0]


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_the_best_token_is_kept_by_temperature_top_k_and_top_p(
    logits: NDArray[np.int32], settings: Settings, data: st.DataObject
) -> None:
    context = context_for(logits, data)
    plain = replace(settings, temperature=1.0, top_k=None, top_p=None, typical_p=None)
    best = Chain(plain).distribution(logits, context).ids[0]

    assert Chain(replace(settings, typical_p=None)).distribution(logits, context).ids[0] == best


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_the_same_call_gives_the_same_choice(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    context = context_for(logits, data)
    first = Chain(settings).choose(logits, context, step=9, sequence=1)

    assert first == Chain(settings).choose(logits.copy(), np.array(context, np.int64), step=9, sequence=1)


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_the_inputs_are_left_alone(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    context = np.array(context_for(logits, data), np.int64)
    before = logits.tolist(), context.tolist()
    logits.setflags(write=False)
    context.setflags(write=False)
    Chain(settings).choose(logits, context, step=0)

    assert before == (logits.tolist(), context.tolist())


@given(logits_of_any_kind, settings_of_any_kind, st.data(), st.randoms(use_true_random=False))
def test_the_order_of_the_context_does_not_matter(
    logits: NDArray[np.int32], settings: Settings, data: st.DataObject, random: Any
) -> None:
    """Only the watermark looks at the last token."""
    context = context_for(logits, data)
    shuffled = random.sample(context, len(context))
    chain = Chain(replace(settings, watermark=False))

    assert chain.choose(logits, context, step=0) == chain.choose(logits, shuffled, step=0)


@given(logits_of_any_kind, st.integers(1, 70))
def test_top_k_keeps_what_reaches_the_kth_largest(logits: NDArray[np.int32], top_k: int) -> None:
    kth = sorted(logits.tolist(), reverse=True)[: min(top_k, logits.size)][-1]
    kept = Chain(Settings(do_sample=True, top_k=top_k)).distribution(logits, []).ids

    assert {token for token, logit in enumerate(logits.tolist()) if logit >= kth} == set(kept.tolist())


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_a_mask_that_allows_all_changes_nothing(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    context = context_for(logits, data)
    chain = Chain(settings)
    allowed = np.ones(logits.size, np.bool_)

    assert chain.choose(logits, context, step=0) == chain.choose(logits, context, step=0, allowed=allowed)


@given(logits_of_any_kind, settings_of_any_kind, st.data())
def test_no_token_outside_the_mask_is_kept(logits: NDArray[np.int32], settings: Settings, data: st.DataObject) -> None:
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=logits.size, max_size=logits.size)))
    allowed[data.draw(st.integers(0, logits.size - 1))] = True
    law = Chain(settings).distribution(logits, context_for(logits, data), allowed)

    assert allowed[law.ids].all()


@given(logits_of_any_kind, st.data())
def test_the_raw_logprob_is_that_of_the_plain_distribution(logits: NDArray[np.int32], data: st.DataObject) -> None:
    token = data.draw(st.integers(0, logits.size - 1))
    law = Chain(Settings()).distribution(logits, [])

    assert raw_logprob(logits, token) == law.logprobs[law.ids.tolist().index(token)]


# the order


def test_the_mask_comes_before_top_k() -> None:
    allowed = np.array([False, True, True])

    assert choose(Settings(top_k=1, top_n_tokens=3), [900, 500, 400], allowed=allowed).top == ((1, 0.0),)


def test_penalties_come_before_top_k() -> None:
    assert choose(Settings(top_k=1, repetition_penalty=3.0), [900, 500, 400], [0]).id == 1


def test_repetition_comes_before_frequency() -> None:
    """2 / 2 - 0.5, not (2 - 0.5) / 2."""
    law = Chain(Settings(repetition_penalty=2.0, frequency_penalty=0.5)).distribution(np.array([2048, 512], np.int32), [0])

    assert law.logprobs.tolist() == [-0.693147, -0.693147]


def test_temperature_comes_before_top_p() -> None:
    """At 0.1 the first token alone carries 0.9; at 1 it does not."""
    values = [1024, 0, 0]

    assert len(choose(Settings(top_p=0.9, top_n_tokens=3), values).top) == 3
    assert len(choose(Settings(top_p=0.9, temperature=0.1, top_n_tokens=3), values).top) == 1


def test_top_k_comes_before_top_p() -> None:
    """Of the two that top_k leaves, the first carries three quarters."""
    values = [1125, 0, 0, 0, 0, 0]
    kept = Chain(Settings(do_sample=True, top_k=1, top_p=0.7)).distribution(np.array(values, np.int32), [])

    assert kept.ids.tolist() == [0]


def test_top_p_comes_before_typical_p() -> None:
    """top_p leaves one token; the typical one of all would be another."""
    values = [3000, *[0] * 20]

    assert choose(Settings(top_p=0.3, typical_p=0.1), values).id == 0
    assert choose(Settings(typical_p=0.1), values).id == 1


def test_greedy_takes_what_the_warpers_left() -> None:
    assert choose(Settings(typical_p=0.1), [3000, *[0] * 20]).id == 1


# edges


def test_greedy_takes_the_lowest_id_on_ties() -> None:
    assert choose(Settings(), [5, 9, 9]).id == 1


@pytest.mark.parametrize("value", [0, -(2**31), 2**31 - 1])
def test_equal_logits_are_equally_likely(value: int) -> None:
    choice = choose(Settings(do_sample=True, top_n_tokens=1), [value] * 4)

    assert choice.top == tuple((token, -1.386294) for token in range(4))


def test_a_single_allowed_token_is_certain() -> None:
    allowed = np.array([False, False, True])

    assert choose(Settings(do_sample=True, top_n_tokens=5), [900, 500, -400], allowed=allowed) == Choice(2, 0.0, ((2, 0.0),))


def test_a_mask_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="the grammar allows no token"):
        choose(Settings(), [1, 2], allowed=np.array([False, False]))


def test_penalties_of_an_empty_context_do_nothing() -> None:
    penalised = Settings(repetition_penalty=2.0, frequency_penalty=1.0)

    assert choose(penalised, [7, 900]) == choose(Settings(), [7, 900])


def test_every_token_may_be_penalised() -> None:
    assert choose(Settings(repetition_penalty=2.0), [1000, 3000, 2000], [0, 1, 2]).id == 1


def test_a_masked_token_may_have_occurred() -> None:
    allowed = np.array([True, False, True])
    choice = choose(Settings(repetition_penalty=2.0, top_n_tokens=2), [1000, 3000, 1600], [1, 2], allowed=allowed)

    assert [token for token, _ in choice.top] == [0, 2]


def test_a_top_k_beyond_the_vocabulary_keeps_all() -> None:
    assert len(choose(Settings(top_k=10**9, top_n_tokens=9), [3, 2, 1]).top) == 3


def test_a_tiny_temperature_is_greedy_with_finite_logprobs() -> None:
    choice = choose(Settings(do_sample=True, temperature=1e-6, top_n_tokens=2), [1, 0])

    assert choice == Choice(0, 0.0, ((0, 0.0), (1, -976.5625)))


def test_a_huge_temperature_is_uniform() -> None:
    choice = choose(Settings(do_sample=True, temperature=1e6, top_n_tokens=2), [9000, -9000])

    assert {logprob for _, logprob in choice.top} == {-0.693138, -0.693156}


def test_a_warmer_distribution_keeps_its_tail() -> None:
    """40 nats at temperature 10 are 4: one in 55."""
    law = Chain(Settings(do_sample=True, temperature=10.0)).distribution(np.array([40 * 1024, 0], np.int32), [])

    assert law.logprobs.tolist() == [-0.01815, -4.01815]
    assert law.weights[1] / law.total == pytest.approx(0.017986, abs=1e-6)


def test_a_token_without_weight_is_still_reported() -> None:
    """200 nats below the best nothing is left to draw, but the logprob is finite, as in text-generation-inference."""
    choice = choose(Settings(do_sample=True, temperature=0.1, top_n_tokens=2), [20 * 1024, 0])

    assert choice.top == ((0, 0.0), (1, -200.0))


def test_what_typical_p_leaves_is_weighed_anew() -> None:
    """The tokens that stay lie far below the best one, where weights counted from it would be coarse."""
    vocabulary = 1 << 18
    logits = np.full(vocabulary, -13 * 1024, np.int32)
    logits[0] = 0
    law = Chain(Settings(do_sample=True, typical_p=0.1)).distribution(logits, [])

    assert np.exp(law.logprobs).sum() == pytest.approx(1.0, abs=1e-4)
    assert law.weights[0] == 1 << 42


def test_the_largest_vocabulary_works() -> None:
    logits = np.zeros(1 << 20, np.int32)
    choice = Chain(Settings(do_sample=True, seed=4)).choose(logits, [], step=0)

    assert choice.logprob == -13.862944


def test_sequences_draw_differently() -> None:
    choices = {choose(Settings(do_sample=True), [0] * 1000, sequence=sequence).id for sequence in range(5)}

    assert len(choices) > 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(temperature=0.0), "`temperature` must be above 0. Given: 0.0"),
        (Settings(temperature=float("nan")), "`temperature` must be above 0. Given: nan"),
        (Settings(repetition_penalty=-1.0), "`repetition_penalty` must be above 0. Given: -1.0"),
        (Settings(frequency_penalty=float("inf")), "`frequency_penalty` must be a finite number. Given: inf"),
        (Settings(top_p=-0.1), "`top_p` must not be below 0. Given: -0.1"),
        (Settings(seed=2**64), "`seed` must be in 0..2^64-1. Given: 18446744073709551616"),
    ],
)
def test_a_setting_without_meaning_is_refused(settings: Settings, sentence: str) -> None:
    with pytest.raises(ValueError, match="`") as caught:
        Chain(settings)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "settings", [Settings(temperature=1e-320), Settings(temperature=1e308), Settings(repetition_penalty=1e-320)]
)
def test_extreme_settings_do_not_overflow(settings: Settings) -> None:
    for sampled in (settings, replace(settings, do_sample=True, top_p=0.5, typical_p=0.5)):
        assert choose(sampled, [2**31 - 1, -(2**31), 0], [0, 1]).logprob <= 0.0
