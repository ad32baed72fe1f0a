"""Rules: what they match, what is refused when they are read, and why one did not match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mockserver.messages import FinishReason, Grammar, Parameters, Request
from mockserver.scenario.rules import Rule, ScriptError, nearest
from mockserver.scenario.scripts import PARAMETERS, parse_rules, read_script, schema

REQUEST = Request(
    "google/gemma-2-2b-it",
    "ping the server",
    Parameters(temperature=0.5, stop=("a",), details=True, grammar=Grammar("regex", "a+")),
)
HEADERS = {"x-user": "alice"}


def rules(*rows: dict[str, Any]) -> tuple[Rule, ...]:
    return parse_rules({"rules": [{"reply": "pong", **row} for row in rows]})


def misses(**conditions: Any) -> list[str]:
    return [*rules(conditions)[0].misses(REQUEST, HEADERS)]


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"prompt": "ping the server"},
        {"prompt": {"exact": "ping the server"}},
        {"prompt": {"contains": "the"}},
        {"prompt": {"regex": "^ping .*r$"}},
        {"model": "google/gemma-2-2b-it"},
        {"model": {"regex": "gemma"}},
        {"parameters": {"temperature": 0.5}},
        {"parameters": {"stop": ["a"], "details": True}},
        {"parameters": {"top_k": None}},
        {"parameters": {"grammar": {"type": "regex", "value": "a+"}}},
        {"headers": {"X-User": "alice"}},
        {"headers": {"x-user": {"contains": "lic"}}},
        {"stream": False},
    ],
    ids=json.dumps,
)
def test_a_condition_that_is_met(conditions: dict[str, Any]) -> None:
    assert [] == misses(**conditions)


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ({"prompt": "ping"}, 'the prompt is "ping the server", not "ping"'),
        ({"prompt": {"contains": "pong"}}, 'the prompt is "ping the server", not a text that contains "pong"'),
        ({"prompt": {"regex": "^the"}}, 'the prompt is "ping the server", not a match of "^the"'),
        ({"model": "other"}, 'the model is "google/gemma-2-2b-it", not "other"'),
        ({"parameters": {"temperature": 0.7}}, "`temperature` is 0.5, not 0.7"),
        ({"parameters": {"top_k": 3}}, "`top_k` is not given, not 3"),
        ({"parameters": {"details": 1}}, "`details` is true, not 1"),
        ({"headers": {"x-user": "bob"}}, 'the header x-user is "alice", not "bob"'),
        ({"headers": {"x-team": "a"}}, 'the header x-team is missing, not "a"'),
        ({"stream": True}, "`stream` is false, not true"),
    ],
    ids=str,
)
def test_a_condition_that_is_not_met_says_why(conditions: dict[str, Any], why: str) -> None:
    assert [why] == misses(**conditions)


def test_a_reply_may_be_a_text_alone() -> None:
    assert "pong" == rules({})[0].answer.text


def test_a_reply_may_say_more() -> None:
    (rule,) = rules({"reply": {"text": "pong", "finish_reason": "length", "delay": 5, "fault": "stream-cut"}})

    assert (FinishReason.LENGTH, 5.0) == (rule.answer.finish_reason, rule.answer.delay)
    assert ["stream-cut"] == [fault.name for fault in rule.answer.faults]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"promt": "a"}, "rules[0]: Additional properties are not allowed ('promt' was unexpected) (did you mean `prompt`?)"),
        ({"prompt": 1}, "rules[0].prompt: 1 is not of types"),
        ({"prompt": {"regex": "("}}, "rules[0].prompt is no regular expression: missing )"),
        ({"prompt": {"regex": "a", "contains": "b"}}, "rules[0].prompt"),
        ({"prompt": {}}, "rules[0].prompt"),
        ({"parameters": {"temprature": 1}}, "rules[0].parameters"),
        ({"call": 0}, "rules[0].call"),
        ({"reply": {}}, "rules[0].reply"),
        ({"reply": {"text": "a", "template": "b"}}, "`text` and `template` cannot both be the reply"),
        ({"reply": {"finish_reason": "length"}}, "`finish_reason` goes with `text` or `template`"),
        ({"reply": {"text": "a", "finish_reason": "tired"}}, "rules[0].reply.finish_reason"),
        ({"reply": {"template": "{{ a"}}, "rules[0].reply.template is no template"),
        ({"reply": {"fault": "stream-cutt"}}, "rules[0].reply.fault: there is no fault called 'stream-cutt': did you mean"),
        ({"reply": {"fault": "stream-cut;times=2"}}, "a rule's fault is a name alone"),
        ({"reply": {"fault": "array-accepted"}}, "acts before any rule is asked"),
        ({"reply": {"error": {"status": 200, "message": "a"}}}, "rules[0].reply.error.status"),
        ({"reply": {"error": {"status": 500, "message": "a", "headers": {"a": "b\r\nc: d"}}}}, "rules[0].reply.error.headers.a"),
        ({"reply": {"error": {"status": 500, "message": "a", "headers": {"a b": "c"}}}}, "rules[0].reply.error.headers"),
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused_with_its_place(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ScriptError) as caught:
        rules(row)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"prompt": "a"}),
        ({"prompt": "a"}, {"prompt": "a"}),
        ({"prompt": "a"}, {"prompt": "a", "model": "m"}),
        ({"prompt": {"contains": "a"}}, {"prompt": "cat"}),
        ({"prompt": {"contains": "a"}}, {"prompt": {"contains": "cat"}}),
        ({"prompt": {"regex": "^c"}}, {"prompt": "cat"}),
        ({"parameters": {"top_k": 1}}, {"parameters": {"top_k": 1, "details": True}}),
        ({"headers": {"a": "b"}}, {"headers": {"A": "b"}}),
        ({"stream": True}, {"stream": True, "prompt": "a"}),
        ({"prompt": "a", "call": 2}, {"prompt": "a", "call": 2}),
    ],
    ids=str,
)
def test_a_rule_that_can_never_answer_is_refused(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    with pytest.raises(ScriptError, match=r"rules\[1\] can never answer: rules\[0\], which stands before it"):
        rules(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"prompt": "a"}, {}),
        ({"prompt": "a"}, {"prompt": "b"}),
        ({"prompt": "a", "times": 1}, {"prompt": "a"}),
        ({"prompt": "a", "call": 1}, {"prompt": "a"}),
        ({"prompt": "a", "call": 1}, {"prompt": "a", "call": 2}),
        ({"prompt": {"regex": "^d"}}, {"prompt": "cat"}),
        ({"parameters": {"details": True}}, {"parameters": {"best_of": 1}}),
        ({"stream": True}, {"stream": False}),
    ],
    ids=str,
)
def test_a_rule_that_may_answer_is_kept(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert 2 == len(rules(earlier, later))


def test_the_nearest_rule_is_the_one_with_the_fewest_conditions_unmet() -> None:
    told = nearest(rules({"prompt": "x", "stream": True}, {"prompt": "ping the servers"}), REQUEST, HEADERS)

    assert 'the nearest is rules[1], but the prompt is "ping the server", not "ping the servers"' == told


def test_a_rule_that_has_answered_often_enough_says_so() -> None:
    assert "the nearest is rules[0], but it answers only 1 times" == nearest(rules({"times": 1}), REQUEST, HEADERS)


# ---------------------------------------------------------------- files


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    yaml = written(tmp_path / "a.yaml", "rules:\n  - prompt: {contains: é}\n    parameters: {top_k: 3}\n    reply: pong\n")
    toml = written(tmp_path / "a.toml", '[[rules]]\nprompt.contains = "é"\nparameters.top_k = 3\nreply = "pong"\n')

    (one,), (other,) = read_script(yaml), read_script(toml)
    assert (one.prompt, one.parameters, one.answer) == (other.prompt, other.parameters, other.answer)


def test_a_rule_is_known_by_its_file_its_number_and_its_name(tmp_path: Path) -> None:
    (rule,) = read_script(written(tmp_path / "a.yaml", "rules:\n  - {name: greeting, reply: pong}\n"))

    assert "a.yaml:rules[0] (greeting)" == rule.place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n  - prompt: [\n", ":3:1: it is no YAML"),
        ("rules:\n  - reply: a\n    reply: b\n", ":3:5: `reply` is given more than once"),
        ("rules:\n  - reply: 2020-01-01\n    prompt: 1\n", ":3:13: rules[0].prompt: 1 is not of types"),
        ("rules:\n  - {prompt: a, reply: {delay: -1}}\n", ":2:32: rules[0].reply.delay: -1 is less than"),
        ("rules:\n  - {reply: a}\n  - {prompt: b, reply: c}\n", ":3:5: rules[1] can never answer"),
        ("", 'the script: null is not of type "object"'),
        ("- a\n", 'the script: ["a"] is not of type "object"'),
        ("rules: !!python/object/apply:os.getcwd []\n", "it is no YAML: could not determine a constructor"),
    ],
)
def test_a_yaml_script_is_refused_with_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path / "a.yaml", text)

    with pytest.raises(ScriptError) as caught:
        read_script(path)

    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_a_toml_script_is_refused_with_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"line 2, column 1"):
        read_script(written(tmp_path / "a.toml", "rules = [\nx"))


def test_a_date_in_yaml_is_the_text_that_it_looks_like(tmp_path: Path) -> None:
    (rule,) = read_script(written(tmp_path / "a.yaml", "rules:\n  - reply: 2020-01-01\n"))

    assert "2020-01-01" == rule.answer.text


def test_a_script_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"rules: \xff")

    with pytest.raises(ScriptError, match="not UTF-8 at byte 7"):
        read_script(path)


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        read_script(tmp_path / "none.yaml")


def test_the_published_schema_names_the_parameters_of_the_page() -> None:
    names = schema()["$defs"]["rule"]["properties"]["parameters"]["propertyNames"]["enum"]

    assert [*PARAMETERS] == names
    assert {"temperature", "top_n_tokens", "watermark"} < {*names}
