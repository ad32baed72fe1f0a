"""Rules in words."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from mockserver.scenario import rule_words
from mockserver.scenario.scripts import parse_rules


def test_the_docstring_is_right() -> None:
    assert 0 == doctest.testmod(rule_words).failed


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"reply": {"model": True}}, "any request: says what the model says"),
        (
            {"prompt": "a", "parameters": {"top_k": 5}, "stream": False, "call": 2, "reply": {"text": "b", "delay": 20}},
            'the prompt is "a" and `top_k` is 5 and no stream is asked for and it is call 2: after 20 ms, says "b"',
        ),
        (
            {"model": {"regex": "ma$"}, "headers": {"X-A": "1"}, "times": 3, "reply": {"error": {"status": 503, "message": "no"}}},
            'the model is a match of "ma$" and the header x-a is "1" and it answered less than 3 times: fails with 503 "no"',
        ),
        (
            {"reply": {"template": "{{ prompt }}", "finish_reason": "length", "fault": ["stream-cut", "stall"]}},
            'any request: says the template "{{ prompt }}", ends by length, with the fault stream-cut and stall',
        ),
    ],
)
def test_each_part_of_a_rule_is_told(rule: dict[str, Any], words: str) -> None:
    assert words == rule_words.in_words(*parse_rules({"rules": [rule]}))
