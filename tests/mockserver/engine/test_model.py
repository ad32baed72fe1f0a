"""Facts about the exact language model, its voices and its adapters."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mockserver.engine.backends import Forward, NumpyBackend
from mockserver.engine.model import ADAPTER_RANK, ADAPTERS, NAT, ROWS, Model, UnknownAdapter, adapt, speak_as
from mockserver.engine.vocabulary import Vocabulary
from mockserver.engine.weights import EXACT, LIMIT, Weights

VOICE = "google/gemma-2-2b-it"
OTHERS = ("meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3", "my/thing", "", "日本")
PROMPTS = ("", "Can you please let us know more details about your ", "My name is Olivier and I", "Hello", "x" * 500, "日本 👨‍👧")

MODEL = Model.load(VOICE)
VOCABULARY = Vocabulary.shipped()
WEIGHTS = Weights.shipped()


def integer_logits(weights: Weights, window: NDArray[np.int64]) -> NDArray[np.int64]:
    """The definition, in int64 and without floats."""
    x = weights.embedding[window].reshape(-1).astype(np.int64)
    h = np.clip((weights.hidden.astype(np.int64) @ x + weights.hidden_bias) >> weights.hidden_shift, 0, LIMIT)
    n = np.clip((weights.narrow.astype(np.int64) @ h + weights.narrow_bias) >> weights.narrow_shift, -LIMIT, LIMIT)
    return weights.head.astype(np.int64) @ n + weights.head_bias


def continue_greedily(model: Model, prompt: str, limit: int) -> list[int]:
    ids = VOCABULARY.encode(prompt)
    new: list[int] = []
    while len(new) < limit and VOCABULARY.eos_id not in new:
        new.append(int(model.next_logits(ids + new).argmax()))
    return new


def draw(logits: NDArray[np.int32], source: random.Random) -> int:
    sums = np.exp((logits - logits.max()) / NAT).cumsum()
    return int(np.searchsorted(sums, source.random() * sums[-1]))


@given(st.lists(st.integers(0, VOCABULARY.size - 1), max_size=2 * MODEL.window))
def test_logits_are_the_integers_of_the_definition(ids: list[int]) -> None:
    window = np.array(([0] * MODEL.window + ids)[-MODEL.window :])

    assert integer_logits(speak_as(WEIGHTS, VOICE), window).tolist() == MODEL.next_logits(ids).tolist()


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, VOCABULARY.size - 1), max_size=40), min_size=2, max_size=70))
def test_a_row_does_not_depend_on_its_batch(contexts: list[list[int]]) -> None:
    alone = np.stack([MODEL.next_logits(context) for context in contexts])

    assert np.array_equal(alone, MODEL.logits(contexts))
    assert np.array_equal(alone[::-1], MODEL.logits(contexts[::-1]))


def test_logits_are_int32_of_every_token() -> None:
    logits = MODEL.logits([[], [5]])

    assert (np.dtype(np.int32), (2, VOCABULARY.size)) == (logits.dtype, logits.shape)


def test_no_contexts_give_no_rows() -> None:
    assert (0, VOCABULARY.size) == MODEL.logits([]).shape


@pytest.mark.parametrize("length", [0, 1, 2, 31, 32, 33, ROWS + 40])
def test_prefill_rows_are_those_of_each_beginning(length: int) -> None:
    ids = [(7 * index) % VOCABULARY.size for index in range(length)]
    rows = MODEL.prefill(ids)

    assert (length, VOCABULARY.size) == rows.shape
    for index in {0, 1, 30, 31, 32, length - 1} & set(range(length)):
        assert np.array_equal(MODEL.next_logits(ids[: index + 1]), rows[index])


def test_only_the_window_counts() -> None:
    last = list(range(100, 100 + MODEL.window))

    assert np.array_equal(MODEL.next_logits([7, 8, 9, *last]), MODEL.next_logits(last))


def test_callers_may_keep_what_they_got() -> None:
    """No buffer is used twice."""
    first = MODEL.next_logits([1])
    copy = first.copy()
    MODEL.next_logits([2])

    assert np.array_equal(copy, first)


def test_what_follows_the_same_text_is_worked_out_once() -> None:
    worked_out: list[int] = []

    class Counting(NumpyBackend):
        def prepare(self, weights: Weights) -> Forward:
            forward = super().prepare(weights)
            return lambda windows: worked_out.append(len(windows)) or forward(windows)  # type: ignore[func-returns-value]

    model = Model(Weights.shipped(), Counting())
    one, again, other = (model.next_logits(ids) for ids in ([1, 2], [1, 2], [2, 1]))

    assert [1, 1] == worked_out
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    with pytest.raises(ValueError, match="read-only"):
        again += 1


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_text_ends_by_itself(prompt: str) -> None:
    assert VOCABULARY.eos_id == continue_greedily(MODEL, prompt, 300)[-1]


def test_drawn_texts_end_by_themselves_in_a_few_sentences() -> None:
    source = random.Random(0)
    lengths = []
    for _ in range(60):
        ids: list[int] = []
        while len(ids) < 400 and VOCABULARY.eos_id not in ids:
            ids.append(draw(MODEL.next_logits(ids), source))
        lengths.append(len(ids))

    assert max(lengths) < 400
    assert 15 <= np.median(lengths) <= 80


def test_drawing_has_real_choices() -> None:
    """Tests of sampling from outside need distributions that are neither flat nor certain."""
    source = random.Random(1)
    best: list[float] = []
    ids: list[int] = VOCABULARY.encode("Once upon a time")
    for _ in range(300):
        logits = MODEL.next_logits(ids)
        weights = np.exp((logits - logits.max()) / NAT)
        best.append(1 / weights.sum())
        token_id = draw(logits, source)
        ids = VOCABULARY.encode("Once upon a time") if token_id == VOCABULARY.eos_id else [*ids, token_id]

    assert 0.2 <= np.median(best) <= 0.8
    assert np.mean(np.array(best) < 0.6) > 0.3


@pytest.mark.parametrize("prompt", PROMPTS[:4])
def test_prompts_go_on_with_letters(prompt: str) -> None:
    text = VOCABULARY.decode(continue_greedily(MODEL, prompt, 40))

    assert any(letter.isalpha() for letter in text)
    assert "\ufffd" not in text


def test_knows_a_capital() -> None:
    assert " Paris" in VOCABULARY.decode(continue_greedily(MODEL, "What is the capital of France?", 20))


def test_voices_differ() -> None:
    """Each pair of voices, in the logits of a prompt and in some greedy text."""
    models = [Model.load(voice) for voice in (VOICE, *OTHERS)]
    spoken = {tuple(tuple(continue_greedily(model, prompt, 40)) for prompt in PROMPTS) for model in models}

    assert len(models) == len(spoken)
    assert all(not np.array_equal(a.next_logits([5]), b.next_logits([5])) for a, b in pairwise(models))


def test_a_voice_is_always_the_same() -> None:
    assert np.array_equal(speak_as(WEIGHTS, "my/thing").head_bias, speak_as(WEIGHTS, "my/thing").head_bias)
    assert Model.load(VOICE) is Model.load(VOICE)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_adapter_changes_the_voice(adapter_id: str) -> None:
    adapted = Model.load(VOICE, adapter_id=adapter_id)
    plain = [continue_greedily(MODEL, prompt, 60) for prompt in PROMPTS]

    assert plain != [continue_greedily(adapted, prompt, 60) for prompt in PROMPTS]


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_adapter_is_a_change_of_low_rank(adapter_id: str) -> None:
    adapted = adapt(WEIGHTS, adapter_id).head.astype(float)
    unclipped = (np.abs(adapted) < LIMIT).all(1)

    assert 0 < np.linalg.matrix_rank((adapted - WEIGHTS.head)[unclipped]) <= ADAPTER_RANK
    assert unclipped.mean() > 0.5


def test_unknown_adapter_names_the_known_ones() -> None:
    with pytest.raises(UnknownAdapter) as caught:
        Model.load(VOICE, adapter_id="demo/nothing")

    assert all(adapter in str(caught.value) for adapter in ADAPTERS)
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("adapter_id", [None, *ADAPTERS])
def test_sums_stay_exact_in_every_voice(adapter_id: str | None) -> None:
    """Making the weights checks the bound; here it is seen to hold with room."""
    weights = speak_as(WEIGHTS if adapter_id is None else adapt(WEIGHTS, adapter_id), VOICE)
    reach = np.abs(weights.hidden.astype(np.int64)).sum(1) * LIMIT + np.abs(weights.hidden_bias)

    assert reach.max() < EXACT


def test_weights_that_could_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="past the exact integers"):
        Weights(
            embedding=np.ones((4, 1), np.int8),
            hidden=np.full((2, 1100), LIMIT, np.int8),
            hidden_bias=np.zeros(2, np.int32),
            hidden_shift=1,
            narrow=np.ones((2, 2), np.int8),
            narrow_bias=np.zeros(2, np.int32),
            narrow_shift=1,
            head=np.ones((4, 2), np.int8),
            head_bias=np.zeros(4, np.int32),
        )
