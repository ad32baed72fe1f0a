"""The watermark: half is green, green is favoured, and it can be seen in the text."""

from __future__ import annotations

from hashlib import shake_256

import numpy as np
import pytest
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings, Told, is_green, z_score
from mockserver.sampler.watermark import apply_watermark

VOCABULARY = 4096


def flat_logits(step: int) -> NDArray[np.int32]:
    """About N(0, 2 nat), another for each step."""
    octets = np.frombuffer(shake_256(f"watermark {step}".encode()).digest(VOCABULARY * 12), np.uint8).reshape(12, VOCABULARY)
    return ((octets.astype(np.int64).sum(axis=0) - 1530) * 8).astype(np.int32)


def write(seed: int, length: int, watermark: bool) -> list[int]:
    chain = Chain(Settings(do_sample=True, seed=seed, watermark=watermark))
    ids = [1, seed]
    for step in range(length):
        ids.append(chain.choose(flat_logits(step), ids, step=step).id)
    return ids


@pytest.mark.parametrize("seed", range(5))
def test_watermarked_text_scores_above_4_from_100_tokens_on(seed: int) -> None:
    assert z_score(Told(write(seed, 100, watermark=True))) > 4


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_text_does_not(seed: int) -> None:
    assert abs(z_score(Told(write(seed, 100, watermark=False)))) < 4


def test_half_of_the_vocabulary_is_green() -> None:
    shares = [is_green([before, 9], np.arange(VOCABULARY)).mean() for before in range(50)]

    assert all(0.46 < share < 0.54 for share in shares)


@pytest.mark.parametrize("other", [[1, 3], [3, 2], [2, 1], [2]])
def test_green_depends_on_both_tokens_before(other: list[int]) -> None:
    """Two green lists agree on about half of the vocabulary."""
    same = (is_green([1, 2], np.arange(VOCABULARY)) == is_green(other, np.arange(VOCABULARY))).mean()

    assert 0.46 < same < 0.54


def test_what_stands_further_back_changes_nothing() -> None:
    assert is_green([8, 1, 2], np.arange(VOCABULARY)).tolist() == is_green([1, 2], np.arange(VOCABULARY)).tolist()


def test_a_green_token_gains_two_nats() -> None:
    gains = apply_watermark(np.zeros(VOCABULARY, np.int32), [5, 3])

    assert gains.tolist() == [2048 if green else 0 for green in is_green([5, 3], np.arange(VOCABULARY)).tolist()]


def test_the_highest_logits_do_not_overflow() -> None:
    gains = apply_watermark(np.full(64, 2**31 - 1, np.int32), [5, 3])

    assert gains.min() > 0


def test_green_is_the_same_for_an_id_of_any_vocabulary_size() -> None:
    assert is_green([5, 3], np.arange(10)).tolist() == is_green([5, 3], np.arange(1000))[:10].tolist()


def test_three_tokens_that_come_again_are_counted_once() -> None:
    assert z_score(Told([1, 2, 3, 1, 2, 3, 1, 2, 3])) == z_score(Told([1, 2, 3, 1, 2]))


def test_an_empty_text_scores_zero() -> None:
    assert z_score(Told([])) == 0.0


def test_texts_are_judged_together() -> None:
    """Two that are short each score as one of both lengths would, and what comes in both is counted once."""
    first, second = write(1, 50, watermark=True), write(2, 50, watermark=True)

    assert z_score(Told(first), Told(second)) == pytest.approx((z_score(Told(first)) + z_score(Told(second))) / 2**0.5)
    assert z_score(Told(first), Told(first)) == z_score(Told(first))


def test_of_a_prompt_only_what_follows_it_is_judged() -> None:
    ids = write(3, 60, watermark=True)

    assert z_score(Told(ids, given=42)) == z_score(Told(ids[40:]))
    assert z_score(Told(ids, given=len(ids))) == 0.0


def test_after_a_prompt_of_one_token_it_alone_chooses_the_green_half() -> None:
    green = int(is_green([5], np.arange(VOCABULARY)).argmax())

    assert (0.0, 1.0) == (z_score(Told([5, green])), z_score(Told([5, green], given=1)))


def test_without_a_token_before_nothing_is_green() -> None:
    logits = flat_logits(0)
    marked = Chain(Settings(watermark=True)).distribution(logits, [])

    assert marked.ids.tolist() == Chain(Settings()).distribution(logits, []).ids.tolist()


def test_the_green_list_is_frozen() -> None:
    """Text that was marked by one version is found by the next."""
    assert np.packbits(is_green([3, 7], np.arange(64))).tobytes().hex() == "45e50a37c6dc8edb"
