"""What an observation reads of a reply, whoever wrote it."""

from __future__ import annotations

import json

import pytest

from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Observation


def stream(texts: list[str], generated_text: str, inputs: str = "The sea") -> Observation:
    """A stream of these tokens, its text as the last event tells it; nobody said whether the prompt comes before it."""
    events = [{"token": {"id": n, "text": text, "logprob": -1.0, "special": False}} for n, text in enumerate(texts)]
    events[-1]["generated_text"] = generated_text
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    case = Case.of({"inputs": inputs, "stream": True})
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "text/event-stream"),), (Chunk(0.0, body),)))


@pytest.mark.parametrize("text", [" is blue", " is blue\ufffd", "is blue"])
def test_the_prompt_before_a_streamed_text_is_known_by_the_tokens(text: str) -> None:
    """Though the text ends in a character that was cut, or has no space where the first token has one."""
    assert stream([" is", " blue"], f"The sea{text}").new_text == text


def test_a_streamed_text_that_repeats_the_prompt_by_itself_is_left_whole() -> None:
    assert stream(["The", " sea", " is"], "The sea is").new_text == "The sea is"
