"""A grammar is kept, or refused with the reason; never by halves, never for long."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.engine.generate import collect, generate
from mockserver.engine.grammar import compile_grammar, written_out
from mockserver.engine.model import Model
from mockserver.engine.plan import Plan
from mockserver.engine.schema_costs import why_too_costly
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import ApiError, ValidationError
from mockserver.messages import Finished, FinishReason, Grammar
from mockserver.sampler import Settings


def run(grammar: Grammar, *, max_new_tokens: int = 400, seed: int | None = None) -> Finished:
    model = Model.load("any")
    compiled = compile_grammar(grammar, model.vocabulary)
    drawn = Settings() if seed is None else Settings(do_sample=True, seed=seed)
    plan = Plan(ids=(5,), max_new_tokens=max_new_tokens, stop=(), settings=(drawn,), grammar=compiled)
    return collect(generate(plan, model)).finished


def regex(pattern: str) -> Grammar:
    return Grammar("regex", pattern)


def schema(value: Any) -> Grammar:
    return Grammar("json", json.dumps(value))


def refuse(grammar: Grammar) -> str:
    with pytest.raises(ValidationError) as refused:
        compile_grammar(grammar, Vocabulary.shipped())
    prefix, _, reason = refused.value.message.partition("`grammar` is not valid: ")
    assert prefix == "Input validation error: "
    return reason


# ---------------------------------------------------------------- regular expressions

PATTERNS = ["a+", "[0-9]{3}-[0-9]{4}", r"\d{1,2}:\d{2}", "yes|no", "(ab?c)*d", "é+🎉", r"\w{3} \w{3}\.", "[^a]{5}", "", "^abc$"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_text_generated_to_its_end_matches_the_expression(pattern: str, seed: int | None) -> None:
    finished = run(regex(pattern), seed=seed)

    if finished.finish_reason is FinishReason.EOS_TOKEN:
        assert re.fullmatch(pattern, finished.generated_text)


def test_where_nothing_more_may_come_the_end_token_does() -> None:
    assert run(regex("yes|no")).finish_reason is FinishReason.EOS_TOKEN


def test_the_limit_may_cut_a_match() -> None:
    finished = run(regex("a{100}"), max_new_tokens=2)

    assert finished.finish_reason is FinishReason.LENGTH
    assert re.fullmatch("a+", finished.generated_text)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "unclosed group"),
        ("[", "unclosed character class"),
        ("a{2,1}", "invalid repetition count range, the start must be <= the end"),
        ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "backreferences are not supported"),
        (r"a$b", "lookarounds not supported yet"),
        ("[a&&b]", "it matches nothing"),
        ("x{100000}", "it is too costly: written out, its repetitions are longer than 5000 signs"),
        ("((((a{100}){100}){100}){100}){100}", "it is too costly"),
        ("a{99999999999999999999}", "it is too costly"),
        ("(a?){500}a{500}", "it is too costly: lexer error"),
    ],
)
def test_an_expression_that_cannot_be_kept_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    assert reason in refuse(regex(pattern))


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("", 0),
        ("abc", 3),
        ("a{3}b", 4),
        ("(ab{2}){10}", 30),
        ("[a-z]{2,7}", 7),
        (r"\{3}", 3),
        ("[{3}]{2}", 2),
        ("((a){2}){3}", 6),
    ],
)
def test_repetitions_are_counted_as_if_written_out(pattern: str, length: int) -> None:
    assert written_out(pattern) == length


# ---------------------------------------------------------------- JSON Schemas

NAMES = st.sampled_from(["a", "b", "name", "né", "x y"])
SCHEMAS = st.recursive(
    st.one_of(
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.builds(lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span}, st.integers(-9, 9), st.integers(0, 99)),
        st.builds(
            lambda low, least, most: {"type": "number", least: low, most: low + 0.5},
            st.integers(-9, 9), st.sampled_from(["minimum", "exclusiveMinimum"]), st.sampled_from(["maximum", "exclusiveMaximum"]),
        ),
        st.just({"type": ["number", "null"]}),
        st.builds(lambda low: {"type": "string", "minLength": low, "maxLength": low + 4}, st.integers(0, 3)),
        st.builds(lambda members: {"enum": members}, st.lists(st.sampled_from([1, "é", None, True, "two words", "</s>"]), min_size=1)),
        st.builds(lambda value: {"const": value}, st.sampled_from(["</s>", "", [1, {"a": []}], -2.5])),
        st.just({"type": "string", "pattern": "^[a-c]{2,4}$"}),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda properties, left_out: {
                "type": "object", "properties": properties, "required": sorted(properties)[left_out:], "additionalProperties": False,
            },
            st.dictionaries(NAMES, inner, max_size=3), st.integers(0, 2),
        ),
        st.builds(lambda items, low: {"type": "array", "items": items, "minItems": low, "maxItems": low + 2}, inner, st.integers(0, 2)),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(value=SCHEMAS, seed=st.none() | st.integers(0, 2**64 - 1))
def test_text_generated_to_its_end_satisfies_the_schema(value: Any, seed: int | None) -> None:
    finished = run(schema(value), seed=seed)

    if finished.finish_reason is FinishReason.EOS_TOKEN:
        assert jsonschema_rs.is_valid(value, json.loads(finished.generated_text))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "foo"}, '"foo" is not valid'),
        ({"type": "integer", "minimum": "x"}, '"x" is not of type "number" (at minimum)'),
        ({"not": {"type": "string"}}, 'Unimplemented keys: ["not"]'),
        ({"type": "array", "uniqueItems": True}, 'Unimplemented keys: ["uniqueItems"]'),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf constraints are not supported"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum (5) is greater than maximum (3)"),
        ({"$ref": "#"}, "it matches nothing"),
        ({"$ref": "https://example.com/schema"}, "is not present in a registry"),
        ({"$schema": "https://example.com/schema"}, "its `$schema` 'https://example.com/schema' is unknown"),
        ({"type": "string", "pattern": "x{100000}"}, "it is too costly"),
        ({"type": "object", "patternProperties": {"x{100000}": {}}}, "it is too costly"),
        ([], "a JSON Schema is an object here"),
        (True, "a JSON Schema is an object here"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_with_the_reason(value: Any, reason: str) -> None:
    assert reason in refuse(schema(value))


NAMES_OF_TOKENS = [
    (regex("a</s>b"), "a</s>b"),
    (schema({"const": "</s>"}), '"</s>"'),
    (schema({"enum": ["</s></s>"]}), '"</s></s>"'),
]


@pytest.mark.parametrize(("grammar", "text"), NAMES_OF_TOKENS)
def test_the_name_of_the_end_token_in_a_grammar_is_text(grammar: Grammar, text: str) -> None:
    """The library alone would take it for the token, and end the text there."""
    finished = run(grammar)

    assert (finished.finish_reason, finished.generated_text) == (FinishReason.EOS_TOKEN, text)


@pytest.mark.parametrize("seed", range(20))
def test_a_number_is_one_that_readers_of_json_hold(seed: int) -> None:
    """Without bounds the library writes exponents of any length, and a reader makes them infinite."""
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    finished = run(schema(numbers), seed=seed)

    assert finished.finish_reason is FinishReason.EOS_TOKEN
    assert all(abs(number) <= 1e15 for number in json.loads(finished.generated_text))


@pytest.mark.parametrize(("low", "high"), [(0, 0.5), (1, 1.5), (-1.5, -1), (-0.5, 0)])
def test_an_exclusive_bound_is_outside(low: float, high: float) -> None:
    number = {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": high}

    for seed in range(10):
        finished = run(schema(number), seed=seed, max_new_tokens=40)
        if finished.finish_reason is FinishReason.EOS_TOKEN:
            assert low < float(finished.generated_text) < high


def test_numbers_that_other_parts_of_a_schema_place_far_out_are_kept() -> None:
    far = {"allOf": [{"type": "number"}, {"minimum": 2e15, "maximum": 3e15}]}

    assert compile_grammar(schema(far), Vocabulary.shipped())


@pytest.mark.parametrize("text", ["", "{", "type: object", "{}{}", "[" * 100_000])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    assert refuse(Grammar("json", text))


def test_a_recursive_schema_is_kept() -> None:
    node = {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "additionalProperties": False}
    value = {"$ref": "#/$defs/n", "$defs": {"n": node}}

    assert compile_grammar(schema(value), Vocabulary.shipped())


def test_the_librarys_own_switches_are_not_taken_from_a_schema() -> None:
    value = {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"], "additionalProperties": False}
    switched = {**value, "x-guidance": {"whitespace_flexible": True, "key_separator": "="}}

    assert run(schema(switched)).generated_text == run(schema(value)).generated_text == '{"a":null}'


# ---------------------------------------------------------------- time


def chain(link: Callable[[Any], Any], length: int) -> Any:
    """A schema whose references lead from one to the next."""
    links = {f"d{n}": link({"$ref": f"#/$defs/d{n + 1}"}) for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{length}": {"type": "null"}}}


HOSTILE = [
    regex("(a?){500}a{500}"),
    regex("x{100000}"),
    regex("x{5000}"),
    regex("(x{1000}){1000}"),
    regex("[ab]*a[ab]{18}"),
    regex(r"(\w+ ?){500}"),
    regex("(" * 10_000),
    regex("a|" * 200_000),
    regex("[a-z]{1,4000}"),
    regex("(a*)*" * 500),
    schema({"type": "array", "items": {"type": "boolean"}, "minItems": 1_000_000}),
    schema({"type": "string", "minLength": 1_000_000}),
    schema({"type": "object", "properties": {f"k{n}": {"enum": [f"v{m}" for m in range(100)]} for n in range(800)}}),
    schema({"anyOf": [{"const": "x" * n} for n in range(1, 1500)]}),
    regex("(?=a)b"),
    regex("|".join(f"{n:06}" for n in range(100_000))),
    schema({"$ref": "#"}),
    schema(
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}}}
    ),
    schema({"type": "null", "description": "x" * 1_000_000}),
    schema({"const": "x" * 1_000_000}),
    schema({"enum": [f"{n:08}" for n in range(80_000)]}),
    schema({"const": [*range(20_000)]}),
    schema({"type": "object", "properties": {f"k{n:06}": {"type": "integer"} for n in range(30_000)}}),
    schema({"anyOf": [{"type": "number", "minimum": n + 0.5, "exclusiveMaximum": n * 1000 + 1.5} for n in range(12_000)]}),
    schema({"type": "integer", "multipleOf": 999_983}),
    schema({"allOf": [{"type": "integer", "multipleOf": 997}, {"type": "integer", "multipleOf": 991}]}),
    schema(chain(lambda after: after, 20_000)),
    schema(chain(lambda after: {"type": "array", "prefixItems": [after, after], "minItems": 2, "items": False}, 40)),
    Grammar("json", '{"type":"array","items":' * 600 + "{}" + "}" * 600),
    Grammar("json", '{"anyOf":[' * 300 + "{}" + "]}" * 300),
]


@pytest.mark.parametrize("grammar", HOSTILE, ids=lambda grammar: grammar.value[:30])
def test_a_hostile_grammar_ends_soon_with_a_result_or_an_error(grammar: Grammar) -> None:
    begin, complaint = time.process_time(), "`grammar`"
    try:
        run(grammar, max_new_tokens=100)
    except ApiError as error:
        complaint = error.message

    assert time.process_time() - begin < 2
    assert "`grammar`" in complaint
    assert len(complaint) < 400


LINKS: dict[str, Callable[[Any], Any]] = {
    "reference": lambda after: after,
    "items": lambda after: {"type": "array", "items": after},
    "properties": lambda after: {"type": "object", "properties": {"a": after}, "required": ["a"]},
    "prefixItems": lambda after: {"type": "array", "prefixItems": [after]},
    "anyOf": lambda after: {"anyOf": [after, {"type": "null"}]},
    "allOf": lambda after: {"allOf": [after]},
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_deepest_schema_that_is_accepted_fits_the_stack_of_a_thread(link: Callable[[Any], Any]) -> None:
    """What is too deep for the library ends the process, so the longest chain is tried where the stack is small."""
    longest = max(length for length in range(1, 260) if not why_too_costly(chain(link, length)))
    ended: list[object] = []

    def compile_it() -> None:
        try:
            ended.append(compile_grammar(schema(chain(link, longest)), Vocabulary.shipped()))
        except ApiError as error:
            ended.append(error)

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=compile_it)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()

    assert len(ended) == 1
