"""What is settled before a generation begins."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.config import Config
from mockserver.engine.plan import SEED_BITS, Plan, plan, samples
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import ValidationError
from mockserver.messages import Parameters, Request
from mockserver.sampler import Settings

LIMITS = Config(max_input_tokens=10, max_total_tokens=20)


class Letters:
    """A vocabulary of one token for each letter."""

    def encode(self, text: str) -> list[int]:
        return [*text.encode()]


def make(inputs: str = "abc", *, stream: bool = False, model: str = "m", limits: Config = LIMITS, **parameters: Any) -> Plan:
    request = Request(model=model, inputs=inputs, parameters=Parameters(**parameters), stream=stream)
    return plan(request, cast(Vocabulary, Letters()), limits)


def refuse(inputs: str = "abc", **parameters: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        make(inputs, **parameters)
    return refused.value.message.removeprefix("Input validation error: ")


# ---------------------------------------------------------------- rules between parameters


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"stream": True, "best_of": 2, "do_sample": True}, "`best_of` != 1 is not supported when streaming tokens"),
        (
            {"stream": True, "decoder_input_details": True},
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "temperature": 1.0}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "seed": 1}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
        (
            {"max_new_tokens": 18},
            "`inputs` tokens + `max_new_tokens` must be <= 20. Given: 3 `inputs` tokens and 18 `max_new_tokens`",
        ),
        (
            {"inputs": "a" * 30, "max_new_tokens": 1},
            "`inputs` tokens + `max_new_tokens` must be <= 20. Given: 30 `inputs` tokens and 1 `max_new_tokens`",
        ),
        ({"inputs": "a" * 11, "max_new_tokens": 1}, "`inputs` must have at most 10 tokens. Given: 11"),
        ({"inputs": "a" * 11}, "`inputs` must have at most 10 tokens. Given: 11"),
    ],
)
def test_parameters_at_odds_are_refused(parameters: dict[str, Any], sentence: str) -> None:
    assert refuse(**parameters) == sentence


def test_best_of_1_and_what_else_is_neutral_may_be_streamed() -> None:
    assert make(stream=True, best_of=1, decoder_input_details=False, seed=1).best_of == 1


def test_the_whole_room_may_be_used() -> None:
    assert make("a" * 10, max_new_tokens=10).max_new_tokens == 10


# ---------------------------------------------------------------- defaults


def test_without_max_new_tokens_a_hundred_are_made_where_they_fit() -> None:
    assert make(limits=Config()).max_new_tokens == 100
    assert make("a" * 10).max_new_tokens == 10


def test_truncate_keeps_the_right_end() -> None:
    assert make("abcdef", truncate=2).ids == tuple(b"ef")


def test_truncate_beyond_the_prompt_changes_nothing() -> None:
    assert make("abc", truncate=10).ids == tuple(b"abc")


def test_truncate_makes_a_long_prompt_fit() -> None:
    assert len(make("a" * 1000, truncate=10, max_new_tokens=1).ids) == 10


@pytest.mark.parametrize(
    ("parameters", "drawn"),
    [
        ({}, False),
        ({"do_sample": False}, False),
        ({"seed": 5}, False),
        ({"temperature": 1.0}, False),
        ({"top_p": 1.0}, False),
        ({"typical_p": 1.0}, False),
        ({"repetition_penalty": 2.0, "frequency_penalty": 1.0, "watermark": True}, False),
        ({"do_sample": True}, True),
        ({"temperature": 0.7}, True),
        ({"top_k": 1}, True),
        ({"top_p": 0.99}, True),
        ({"typical_p": 0.2}, True),
        ({"do_sample": False, "top_k": 5}, True),
    ],
)
def test_what_makes_it_draw(parameters: dict[str, Any], drawn: bool) -> None:
    assert samples(Parameters(**parameters)) == drawn
    assert make(**parameters).settings[0].do_sample == drawn


def test_greedy_leaves_warpers_neutral_and_keeps_penalties() -> None:
    settings = make(
        temperature=1.0, seed=9, repetition_penalty=1.2, frequency_penalty=0.5, watermark=True, top_n_tokens=3
    ).settings

    assert settings == (Settings(repetition_penalty=1.2, frequency_penalty=0.5, watermark=True, top_n_tokens=3),)


def test_each_sampling_parameter_reaches_the_sampler() -> None:
    settings = make(do_sample=True, seed=9, temperature=0.5, top_k=4, top_p=0.9, typical_p=0.8).settings

    assert settings == (Settings(do_sample=True, seed=9, temperature=0.5, top_k=4, top_p=0.9, typical_p=0.8),)


# ---------------------------------------------------------------- seeds


def seeds(**options: Any) -> list[int]:
    return [settings.seed for settings in make(do_sample=True, **options).settings]


def test_a_request_without_seed_gets_the_same_one_each_time() -> None:
    assert seeds() == seeds()


@pytest.mark.parametrize(
    "other", [{"inputs": "abd"}, {"model": "n"}, {"limits": Config(seed=1)}, {"temperature": 0.5}, {"stop": ("x",)}]
)
def test_another_request_gets_another_seed(other: dict[str, Any]) -> None:
    assert seeds(**other) != seeds(limits=Config()) or seeds(**other) != seeds()


def test_what_is_only_told_does_not_change_the_seed() -> None:
    told = {"details": True, "top_n_tokens": 3, "return_full_text": True, "decoder_input_details": True}

    assert seeds(**told) == seeds()
    assert seeds(stream=True) == seeds()


def test_best_of_draws_each_sequence_by_a_seed_of_its_own() -> None:
    first, second = seeds(best_of=2)

    assert first != second
    assert [first] == seeds()


@given(st.text(min_size=1, max_size=5))
def test_a_seed_we_draw_is_one_every_json_reader_keeps(inputs: str) -> None:
    request = Request(model="m", inputs=inputs, parameters=Parameters(do_sample=True))

    assert 0 <= plan(request, cast(Vocabulary, Letters()), Config()).settings[0].seed < 2**SEED_BITS
