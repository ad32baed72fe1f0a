"""A rule that can never answer is refused when it is read, and one that may is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mockserver import Config
from mockserver.engine.vocabulary import Vocabulary
from mockserver.sayable import Sayable, read_checked
from mockserver.scenario.rules import ScriptError
from mockserver.scenario.scripts import parse_rules
from mockserver.wire.contract import Contract

DIGITS = {"type": "regex", "value": "[0-9]+"}
OBJECT = {"type": "json", "value": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}


def complaint(rule: dict[str, Any], **settings: Any) -> str:
    config = Config(**settings)
    sayable = Sayable(config, Contract(config), Vocabulary.shipped())
    return sayable.complaint(*parse_rules({"rules": [{"reply": "some words", **rule}]}))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"prompt": ""}, "such a request is refused: `inputs` cannot be empty"),
        ({"parameters": {"top_p": 5}}, "`top_p` must be > 0.0 and <= 1.0. Given: 5"),
        ({"parameters": {"temperature": "hot"}}, "`temperature` must be a number or null"),
        ({"parameters": {"best_of": 2}}, "you must use sampling when `best_of` is > 1"),
        ({"parameters": {"best_of": 2, "do_sample": True}, "stream": True}, "not supported when streaming"),
        ({"parameters": {"grammar": {"type": "regex", "value": "("}}}, "such a request is refused: "),
        ({"parameters": {"grammar": DIGITS}}, "`grammar` does not allow"),
        ({"parameters": {"grammar": OBJECT}, "reply": '{"a": "b"}'}, "`grammar` does not allow"),
        (
            {"parameters": {"max_new_tokens": 2}, "reply": {"text": "one two three", "finish_reason": "eos_token"}},
            "ends by length",
        ),
        ({"parameters": {"stop": ["two"]}, "reply": {"text": "one two", "finish_reason": "eos_token"}}, "ends by stop_sequence"),
        ({"reply": "word " * 5000}, "but this server has room for 4095"),
        ({"model": "other/model"}, 'none of the models served here is "other/model"'),
    ],
)
def test_what_can_never_be_answered_is_named(rule: dict[str, Any], words: str) -> None:
    assert words in complaint(rule)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"prompt": {"contains": ""}},
        {"parameters": {"top_p": None, "stop": None}},
        {"parameters": {"top_p": 0.5}, "stream": True},
        {"parameters": {"stop": ["x", "y"]}},
        {"parameters": {"grammar": DIGITS}, "reply": "123"},
        {"parameters": {"grammar": OBJECT}, "reply": '{"a":1}'},
        {"parameters": {"grammar": DIGITS}, "reply": {"template": "{{ call }}"}},
        {"parameters": {"grammar": DIGITS}, "reply": {"error": {"status": 503, "message": "no"}}},
        {"parameters": {"max_new_tokens": 2}, "reply": "one two three"},
        {"parameters": {"max_new_tokens": 2}, "reply": {"text": "one two three", "finish_reason": "length"}},
        {"model": {"contains": "gemma"}},
    ],
)
def test_what_may_be_answered_is_not(rule: dict[str, Any]) -> None:
    assert "" == complaint(rule)


def test_the_limits_are_those_of_the_server() -> None:
    rule = {"parameters": {"best_of": 5, "do_sample": True}}

    assert "`best_of` must be > 0 and <= 2" in complaint(rule)
    assert "" == complaint(rule, max_best_of=5)


def test_lint_refuses_only_what_no_server_answers(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(
        "rules:\n- parameters: {best_of: 5, do_sample: true}\n  model: my/own\n  reply: a\n- prompt: ''\n  reply: b\n"
    )

    with pytest.raises(ScriptError, match=r"answers\.yaml:5:3: rules\[1\] can never answer, for such a request is refused"):
        read_checked(file, None)
    with pytest.raises(ScriptError, match=r"answers\.yaml:2:3: rules\[0\] can never answer: none of the models"):
        read_checked(file, Config())
