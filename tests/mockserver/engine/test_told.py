"""A told text goes the way of a generated one, whatever the parameters, or is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.config import Config
from mockserver.engine.generate import collect
from mockserver.engine.model import Model
from mockserver.engine.plan import plan
from mockserver.engine.told import Told, tell
from mockserver.errors import GenerationError
from mockserver.messages import Completion, FinishReason, Grammar, Parameters, Request

TEXT = "The quick brown fox jumps over the lazy dog; déjà vu, 東京 \U0001f600."
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}


def say(text: str, prompt: str = "ping", finish_reason: FinishReason | None = None, **parameters: Any) -> Completion:
    model = Model.load("google/gemma-2-2b-it")
    todo = plan(Request("m", prompt, Parameters(**parameters)), model.vocabulary, Config())
    return collect(tell(todo, model, Told("rules[0]", text, finish_reason)))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"do_sample": True, "seed": 1},
        {"temperature": 100.0, "seed": 1},
        {"temperature": 0.01, "seed": 1},
        {"top_k": 1, "seed": 1},
        {"top_p": 0.01, "seed": 1},
        {"typical_p": 0.01, "seed": 1},
        {"typical_p": 0.99, "temperature": 50.0, "seed": 1},
        {"repetition_penalty": 20.0},
        {"repetition_penalty": 0.05},
        {"frequency_penalty": 2.0},
        {"frequency_penalty": -2.0},
        {"watermark": True},
        {
            "do_sample": True,
            "temperature": 9.0,
            "repetition_penalty": 3.0,
            "frequency_penalty": 2.0,
            "watermark": True,
            "seed": 2,
        },
    ],
    ids=str,
)
def test_the_text_is_said_under_any_parameters(parameters: dict[str, Any]) -> None:
    prompt = "The quick brown fox jumps over the lazy dog. " * 3
    said = say(TEXT, prompt=prompt, max_new_tokens=200, **parameters)

    assert (TEXT, FinishReason.EOS_TOKEN) == (said.finished.generated_text, said.finished.finish_reason)


def test_its_tokens_are_those_of_the_tokenizer() -> None:
    said = say(TEXT, max_new_tokens=200)
    vocabulary = Model.load("m").vocabulary

    assert [*vocabulary.encode(TEXT), vocabulary.eos_id] == [step.token.id for step in said.steps]


def test_a_greedy_token_is_the_likeliest_of_its_top_tokens() -> None:
    for step in say("pong", top_n_tokens=3).steps:
        assert step.top_tokens is not None
        assert step.token == step.top_tokens[0]
        assert -1 < step.token.logprob < 0


def test_max_new_tokens_cuts_it() -> None:
    finished = say("one two three four", max_new_tokens=2).finished

    assert (FinishReason.LENGTH, 2) == (finished.finish_reason, finished.generated_tokens)


def test_a_stop_sequence_ends_it() -> None:
    finished = say("one. two. three.", stop=("two",)).finished

    assert FinishReason.STOP_SEQUENCE == finished.finish_reason
    assert finished.generated_text.startswith("one. two")


def test_an_empty_text_is_the_end_token_alone() -> None:
    finished = say("").finished

    assert ("", 1, FinishReason.EOS_TOKEN) == (finished.generated_text, finished.generated_tokens, finished.finish_reason)


def test_a_text_that_a_grammar_allows_is_said_in_the_tokens_that_it_allows() -> None:
    text = '{"name":"Zoë","age":36}'

    assert text == say(text, grammar=Grammar("json", json.dumps(SCHEMA))).finished.generated_text


@pytest.mark.parametrize(("pattern", "words"), [("[0-9]+", "cannot go on with"), ("pongs?!", "after 'pong' it cannot end")])
def test_a_text_that_breaks_the_grammar_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(GenerationError, match=r"rules\[0\] tells a text that the request's `grammar` does not allow") as caught:
        say("pong", grammar=Grammar("regex", pattern))

    assert words in caught.value.message


def test_an_end_that_does_not_come_is_refused() -> None:
    with pytest.raises(GenerationError, match=r"ends by eos_token, but .* it ends by length after 2 tokens"):
        say("one two three four", finish_reason=FinishReason.EOS_TOKEN, max_new_tokens=2)


def test_an_end_that_comes_is_no_matter() -> None:
    assert FinishReason.LENGTH == say("one two three", finish_reason=FinishReason.LENGTH, max_new_tokens=2).finished.finish_reason
