"""The loop: which steps it gives for which tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.backends import NumpyBackend
from mockserver.engine.generate import collect, generate, generate_all, rank
from mockserver.engine.model import Model
from mockserver.engine.plan import Plan
from mockserver.engine.vocabulary import Vocabulary
from mockserver.engine.weights import Weights
from mockserver.messages import Completion, Finished, FinishReason, Prefill, Step, Token
from mockserver.sampler import Settings

ByteIds = Callable[[bytes], list[int]]


def run(model: Any, *, max_new_tokens: int = 50, stop: tuple[str, ...] = (), **settings: Any) -> Completion:
    plan = Plan(ids=(5,), max_new_tokens=max_new_tokens, stop=stop, settings=(Settings(**settings),), prefill=False)
    return collect(generate(plan, model))


def texts(completion: Completion) -> list[str]:
    return [step.token.text for step in completion.steps]


def test_the_end_token_is_a_token_that_adds_no_text(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids(b"hi")))

    assert texts(completion) == ["h", "i", "</s>"]
    assert [step.token.special for step in completion.steps] == [False, False, True]
    assert completion.finished == Finished(FinishReason.EOS_TOKEN, "hi", 3, None)


def test_only_the_last_step_is_finished(told: Any, byte_ids: ByteIds) -> None:
    steps = run(told(byte_ids(b"hi"))).steps

    assert [step.finished is not None for step in steps] == [False, False, True]
    assert [step.index for step in steps] == [1, 2, 3]


def test_the_limit_ends_it(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids(b"hello")), max_new_tokens=2)

    assert completion.finished == Finished(FinishReason.LENGTH, "he", 2, None)


def test_length_is_told_when_the_end_token_is_the_last_allowed(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids(b"hi")), max_new_tokens=3)

    assert completion.finished.finish_reason is FinishReason.LENGTH
    assert completion.steps[-1].token.special


def test_one_token_is_one_finished_step(told: Any, byte_ids: ByteIds) -> None:
    assert len(run(told(byte_ids(b"hello")), max_new_tokens=1).steps) == 1


def test_a_stop_sequence_over_several_tokens_ends_it_and_stays(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids(b"one.\n\ntwo")), stop=(".\n\n",))

    assert completion.finished == Finished(FinishReason.STOP_SEQUENCE, "one.\n\n", 6, None)


def test_a_stop_sequence_inside_a_token_ends_it_and_the_token_stays_whole(told: Any, vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode("one two three four")
    inside = next(text for text in map(vocabulary.token_text, ids[1:]) if len(text) > 2)
    completion = run(told(ids), stop=(inside[1:-1],))

    assert completion.finished.finish_reason is FinishReason.STOP_SEQUENCE
    assert completion.finished.generated_text.endswith(inside)
    assert "".join(texts(completion)) == completion.finished.generated_text


def test_the_name_of_the_end_token_is_no_stop_sequence(told: Any, byte_ids: ByteIds) -> None:
    assert run(told(byte_ids(b"hi")), stop=("</s>", "s>")).finished.finish_reason is FinishReason.EOS_TOKEN


def test_the_prompt_is_not_searched_for_stop_sequences(told: Any, byte_ids: ByteIds, vocabulary: Vocabulary) -> None:
    prompt = vocabulary.token_text(5)

    assert run(told(byte_ids(b"hi")), stop=(prompt + "h",)).finished.finish_reason is FinishReason.EOS_TOKEN


def test_a_character_appears_whole_with_the_token_that_completes_it(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids("a🎉b".encode())))

    assert texts(completion) == ["a", "", "", "", "🎉", "b", "</s>"]
    assert completion.finished.generated_text == "a🎉b"


@pytest.mark.parametrize("limit", [2, 3, 4])
def test_a_character_that_the_limit_cuts_is_no_text(told: Any, byte_ids: ByteIds, limit: int) -> None:
    completion = run(told(byte_ids("a🎉".encode())), max_new_tokens=limit)

    assert completion.finished.generated_text == "a"
    assert "".join(texts(completion)) == "a"


def test_a_character_that_the_end_token_cuts_is_no_text(told: Any, byte_ids: ByteIds) -> None:
    completion = run(told(byte_ids("a🎉".encode()[:-1])))

    assert completion.finished.generated_text == "a"
    assert texts(completion) == ["a", "", "", "", "</s>"]


def test_a_stop_sequence_outside_ascii_is_found(told: Any, byte_ids: ByteIds) -> None:
    assert run(told(byte_ids("né à".encode())), stop=("é",)).finished.generated_text == "né"


@given(st.lists(st.integers(1, 300), min_size=1, max_size=20), st.integers(1, 25))
def test_texts_join_and_a_shorter_generation_is_a_beginning(told: Any, ids: list[int], limit: int) -> None:
    whole, cut = run(told(ids)), run(told(ids), max_new_tokens=limit)

    for completion in (whole, cut):
        plain = [step.token.text for step in completion.steps if not step.token.special]
        assert "".join(plain) == completion.finished.generated_text
        assert completion.finished.generated_tokens == len(completion.steps)
    assert whole.finished.generated_text.startswith(cut.finished.generated_text)


def test_top_tokens_come_only_when_asked_for(told: Any, byte_ids: ByteIds) -> None:
    assert all(step.top_tokens is None for step in run(told(byte_ids(b"hi"))).steps)
    assert all(step.top_tokens for step in run(told(byte_ids(b"hi")), top_n_tokens=1).steps)


def test_the_seed_is_told_when_something_was_drawn(told: Any, byte_ids: ByteIds) -> None:
    assert run(told(byte_ids(b"hi")), do_sample=True, seed=9).finished.seed == 9
    assert run(told(byte_ids(b"hi")), seed=9).finished.seed is None


def test_the_first_step_needs_no_second(byte_ids: ByteIds, told: Any) -> None:
    class Once(told):  # type: ignore[misc]
        asked = 0

        def logits(self, contexts: Any) -> Any:
            self.asked += 1
            return super().logits(contexts)

    model = Once(byte_ids(b"hello"))
    plan = Plan(ids=(5,), max_new_tokens=9, stop=(), settings=(Settings(),), prefill=False)
    events = generate(plan, model)

    assert isinstance(next(events), Prefill)
    assert isinstance(next(events), Step)
    assert model.asked == 1


def test_prefill_tells_the_prompt_with_raw_logprobs() -> None:
    model = Model.load("any")
    ids = tuple(model.vocabulary.encode("The sea was calm"))
    plan = Plan(ids=ids, max_new_tokens=1, stop=(), settings=(Settings(repetition_penalty=1.5),), prefill=True)
    prefill = collect(generate(plan, model)).prefill

    assert prefill.input_length == len(ids)
    assert tuple(token.id for token in prefill.tokens) == ids
    assert prefill.tokens[0].logprob is None
    assert all(token.logprob is not None and token.logprob <= 0 for token in prefill.tokens[1:])


def test_sequences_made_together_are_those_made_one_by_one() -> None:
    """They end at different steps, so the batch shrinks."""

    class Counting(Model):
        asked: ClassVar[list[int]] = []

        def logits(self, contexts: Any) -> Any:
            self.asked.append(len(contexts))
            return super().logits(contexts)

    model = Counting(Weights.shipped(), NumpyBackend())
    settings = tuple(Settings(do_sample=True, seed=seed, top_n_tokens=2) for seed in range(5))
    plan = Plan(ids=tuple(Vocabulary.shipped().encode("The sea")), max_new_tokens=60, stop=("and",), settings=settings, prefill=True)
    together = [list(events) for events in generate_all(plan, model)]
    passes = len(Counting.asked)

    assert [list(generate(plan, model, sequence=sequence)) for sequence in range(5)] == together
    assert len({len(events) for events in together}) > 1
    assert (passes, Counting.asked[0]) == (max(map(len, together)) - 1, 5)


def completion(*logprobs: float) -> Completion:
    finished = Finished(FinishReason.LENGTH, "", len(logprobs), 1)
    steps = [Step(n, Token(n, "", logprob, False)) for n, logprob in enumerate(logprobs, 1)]
    return Completion(Prefill(1), (*steps[:-1], Step(len(steps), steps[-1].token, None, finished)), finished)


def test_the_highest_mean_logprob_is_the_best_and_the_others_keep_their_order() -> None:
    long, short, worst = completion(-1.0, -1.0, -1.0), completion(-1.5), completion(-4.0)

    assert rank([worst, short, long]) == [long, worst, short]


def test_on_a_tie_the_first_is_the_best() -> None:
    first, second = completion(-1.0), completion(-1.0, -1.0)

    assert rank([first, second]) == [first, second]
