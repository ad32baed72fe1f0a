"""What to send: valid requests drawn over all parameters, and requests with exactly one fault, all from the spec.

The values are such that any right server can be held to them: where the page and known servers disagree about a bound, the draws
stay clear of it (see ``conflict`` in the ledger).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

import spec
from contract_tests.exchange import JSON_HEADERS, Case, Headers

PROMPTS = (
    "Can you please let us know more details about your ",
    "Once upon a time there was a",
    "The capital of France is",
    "def fibonacci(n):\n",
    "1, 2, 3, 4,",
    "Q: What is deep learning?\nA:",
)

ENDING = {"grammar": {"type": "regex", "value": "[A-E]{48}"}}
"""With it a text ends soon though no limit is given: some servers then go on as long as they can."""

MARKED_UP = (
    '<p class="note">Tom &amp; Jerry\'s cafe: 3 < 5 && 7 > 2, %20 and {{ 1 + 1 }} and \\n.</p> '
    "A prompt comes back as it went out, however long it is, and whatever stands in it: once upon a time there was a"
)
"""A prompt that looks otherwise once it was escaped, unescaped, filled in or cut at a hundred characters."""

REPETITIVE = (
    "the cat and the dog and the cat and the dog and the",
    "one two three one two three one two three one two",
)
"""Prompts that make a model repeat itself, so that penalties have something to act on."""

MANY_SCRIPTS = (
    "Zażółć gęślą jaźń",
    "\u6f22\u5b57\u3068\u3072\u3089\u304c\u306a",
    "emoji \U0001f389 \U0001f469\u200d\U0001f680 \U0001f1eb\U0001f1f7",
    "e\u0301 combining",
    "\u0634\u0643\u0631\u0627 right to left",
    "line\u2028separator and next\u0085line",
    'quotes " and \\ backslashes',
    "tabs\tand\nnew lines\r\n",
)

# One fact a line: the values that serve as a valid draw of each parameter.
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "frequency_penalty": st.floats(-2, 2).map(lambda value: round(value, 2)),
    "repetition_penalty": st.floats(0.8, 2).map(lambda value: round(value, 2)),
    "temperature": st.floats(0.2, 2).map(lambda value: round(value, 2)),
    "top_k": st.integers(1, 50),
    "top_n_tokens": st.integers(1, 5),
    "top_p": st.floats(0.05, 0.95).map(lambda value: round(value, 2)),
    "truncate": st.integers(1, 64),
    "typical_p": st.floats(0.05, 0.95).map(lambda value: round(value, 2)),
}
SEEDS = st.integers(1, 2**63 - 1)
WARPERS = ("temperature", "top_k", "top_p", "typical_p")

# Inside each bound, by itself in a request: what a documented parameter must accept.
INSIDE: dict[str, tuple[Any, ...]] = {
    "best_of": (2, 1),
    "decoder_input_details": (True, False),
    "details": (True, False),
    "do_sample": (True, False),
    "frequency_penalty": (0.5, -0.5, 2.0),
    "grammar": (
        {"type": "regex", "value": "[a-z]{3,8}"},
        {"type": "json", "value": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}},
        {"type": "json", "value": '{"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}'},
    ),
    "max_new_tokens": (1, 7),
    "repetition_penalty": (1.2, 0.9, 1),
    "return_full_text": (True, False),
    "seed": (1, 2**31, 2**63 - 1),
    "stop": ([], ["\n"], ["a", "b", "c", "d"]),
    "temperature": (0.5, 1.0, 2, 0.1),
    "top_k": (1, 50),
    "top_n_tokens": (1, 5),
    "top_p": (0.5, 0.99),
    "truncate": (1, 64),
    "typical_p": (0.5, 0.99),
    "watermark": (True, False),
}
COMPANIONS: dict[str, dict[str, Any]] = {
    "best_of": {"do_sample": True},
    "seed": {"do_sample": True},
    "top_k": {"do_sample": True},
    "top_p": {"do_sample": True},
    "typical_p": {"do_sample": True},
    "temperature": {"do_sample": True},
    "grammar": {"max_new_tokens": 24},
    "top_n_tokens": {"details": True},
}
"""What a parameter needs beside it to mean anything."""

WITHOUT_STREAM = frozenset({"best_of", "decoder_input_details"})
"""Parameters that known servers refuse on a stream; the page is silent."""

LONG_PROMPT = "The quick brown fox jumps over the lazy dog. " * 700
"""About seven thousand tokens: more than most servers take."""

NULLABLE = (
    "adapter_id",
    "best_of",
    "frequency_penalty",
    "grammar",
    "max_new_tokens",
    "repetition_penalty",
    "return_full_text",
    "seed",
    "temperature",
    "top_k",
    "top_n_tokens",
    "top_p",
    "truncate",
    "typical_p",
)
"""Parameters that known servers take as not sent when they are null."""

# Values of another type that a lenient reader may take for the right one.
READABLE: dict[str, tuple[Any, ...]] = {"integer": (True, "5"), "number": (True, "0.5"), "boolean": (1, "true"), "array": ("x",)}

# Values of a wrong type that no lenient reader could mean well.
WRONG: dict[str, tuple[Any, ...]] = {
    "integer": ("many", [1], {"a": 1}, 1.5),
    "number": ("warm", [0.5], {"a": 1}),
    "boolean": ("perhaps", [True], {"a": 1}),
    "string": ({"a": 1}, ["x"]),
    "array": ({"a": 1}, 7, [1, 2]),
    "object": ("text", 7, ["x"]),
}


@cache
def parameters() -> dict[str, dict[str, Any]]:
    """Name -> schema of every documented parameter, in the page's order."""
    found: dict[str, dict[str, Any]] = spec.openapi()["components"]["schemas"]["Parameters"]["properties"]
    return found


@cache
def validator() -> jsonschema_rs.Validator:
    """The documented request, compiled."""
    return jsonschema_rs.validator_for(spec.schema("GenerateRequest"))


def prompts() -> st.SearchStrategy[str]:
    """Prompts that people write, and any text without control characters."""
    anything = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)
    return st.one_of(st.sampled_from(PROMPTS), st.sampled_from(MANY_SCRIPTS), anything)


@st.composite
def repeatable_payloads(draw: st.DrawFn, without: Collection[str] = (), most_tokens: int = 12) -> dict[str, Any]:
    """A valid request over all parameters that a server must answer the same way each time: greedy, or drawn with a seed."""
    sampled = draw(st.booleans()) and "do_sample" not in without and "seed" not in without
    chosen: dict[str, Any] = {"max_new_tokens": draw(st.integers(1, most_tokens)), "do_sample": sampled}
    if sampled:
        chosen["seed"] = draw(SEEDS)
    if draw(st.integers(0, 3)):
        chosen["details"] = True
    for name, values in NUMBERS.items():
        if (name not in WARPERS or sampled) and draw(st.integers(0, 3)) == 0:
            chosen[name] = draw(values)
    if draw(st.integers(0, 3)) == 0:
        chosen["return_full_text"] = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        chosen["stop"] = draw(
            st.lists(st.sampled_from((".", " the", "e", "\n", "?", "ing", "\U0001f389")), min_size=1, max_size=4, unique=True)
        )
    if draw(st.integers(0, 9)) == 0:
        chosen["watermark"] = draw(st.booleans())
    kept = {name: value for name, value in chosen.items() if name not in without}
    return {"inputs": draw(prompts()), "parameters": kept}


def single_parameter_payloads(name: str) -> Iterator[dict[str, Any]]:
    """Valid requests that try one parameter, each value inside its bounds."""
    for value in INSIDE.get(name, ()):
        yield {"inputs": PROMPTS[0], "parameters": {"max_new_tokens": 3, **COMPANIONS.get(name, {}), name: value}}


def _faulty(payload: Any, about: str, subject: str) -> Case:
    return Case.of(payload, about=about, faulty=True, subject=subject)


def _schema_type(schema: dict[str, Any]) -> str:
    """The one JSON type of a parameter beside null; "object" for a choice of forms."""
    declared = schema.get("type", "object")
    return declared if isinstance(declared, str) else next(kind for kind in declared if kind != "null")


def _outside(schema: dict[str, Any]) -> Iterator[Any]:
    """Values clearly outside the bounds: below zero, or one beyond. Upper bounds of integers are each server's own limits."""
    lowest = schema.get("minimum", schema.get("exclusiveMinimum"))
    if lowest is not None:
        yield min(lowest, 0) - 1
    if _schema_type(schema) == "number" and "maximum" in schema:
        yield schema["maximum"] + 1


def faulty_parameters(name: str) -> Iterator[Case]:
    """Requests whose only fault is parameter ``name``: a wrong type, a value out of bounds."""
    schema = parameters()[name]

    def case(value: Any, about: str) -> Case:
        return _faulty({"inputs": PROMPTS[0], "parameters": {"max_new_tokens": 2, name: value}}, about, name)

    for value in READABLE.get(_schema_type(schema), ()):
        yield case(value, "request.types.strict")
    for value in WRONG[_schema_type(schema)]:
        yield case(value, f"parameters.{name}.type")
    for value in _outside(schema):
        yield case(value, f"parameters.{name}.bounds")
    if name == "grammar":
        for kind, value in INVALID_GRAMMARS:
            yield case({"type": kind, "value": value}, "parameters.grammar.invalid")
        yield case({"value": "[a-z]+"}, "parameters.grammar.type.required")
        yield case({"type": "no-such-grammar", "value": "[a-z]+"}, "parameters.grammar.type.required")
        yield case({"type": "regex"}, "parameters.grammar.value.required")
        yield case({"type": "json"}, "parameters.grammar.value.required")
        yield case({"type": "regex", "value": 7}, "parameters.grammar.value.type")
        yield case({"type": "json", "value": 7}, "parameters.grammar.value.type")
    if name == "adapter_id":
        yield case("no-such/adapter-0f9a", "parameters.adapter_id.unknown")


INVALID_GRAMMARS: tuple[tuple[str, Any], ...] = (
    ("regex", "("),
    ("regex", "[a-"),
    ("json", "{"),
    ("json", {"type": "object", "properties": {"a": {"type": "no-such-type"}}, "required": ["a"]}),
)
"""Kind and value of grammars that mean nothing."""


def unusual_requests(few: dict[str, Any]) -> Iterator[Case]:
    """Good requests with something that the page does not mention and clients send: unknown names, nulls, a charset.

    ``few`` are the parameters beside it.
    """

    def case(payload: Any, about: str, subject: str = "", headers: Headers = ()) -> Case:
        return replace(Case.of(payload, about=about, subject=subject), headers=headers or JSON_HEADERS)

    yield case(
        {"inputs": PROMPTS[1], "parameters": {**few, "no_such_parameter": 1}}, "request.unknown-parameters", "no_such_parameter"
    )
    yield case(
        {"inputs": PROMPTS[1], "parameters": few, "options": {"use_cache": False}}, "request.unknown-parameters", "options"
    )
    yield case({"inputs": PROMPTS[1], "parameters": dict.fromkeys(NULLABLE) | few}, "request.null")
    charset = (("content-type", "application/json; charset=utf-8"),)
    yield case({"inputs": PROMPTS[1], "parameters": few}, "request.content-type", headers=charset)


def faulty_fields() -> Iterator[Case]:
    """Requests whose only fault is a field beside the parameters."""
    few = {"max_new_tokens": 2}
    yield _faulty({"parameters": few}, "request.inputs.required", "inputs")
    yield _faulty({}, "request.inputs.required", "inputs")
    for value in (7, {"text": "Hello"}, ["Hello"], None):
        yield _faulty({"inputs": value, "parameters": few}, "request.inputs.type", "inputs")
    for value in WRONG["object"]:
        yield _faulty({"inputs": PROMPTS[0], "parameters": value}, "request.parameters.type", "parameters")
    for value in WRONG["boolean"]:
        yield _faulty({"inputs": PROMPTS[0], "parameters": few, "stream": value}, "request.stream.type", "stream")
    for value in READABLE["boolean"]:
        yield _faulty({"inputs": PROMPTS[0], "parameters": few, "stream": value}, "request.types.strict", "stream")


def hostile_bodies() -> Iterator[Case]:
    """Bodies that are no request at all, and some that only must not break the server."""

    def body(data: bytes, about: str) -> Case:
        return Case(body=data, about=about, faulty=True)

    for data in (b"not json", b'{"inputs": "x"', b"", b"{'inputs': 'x'}", b'{"inputs": "x",}'):
        yield body(data, "errors.not-json")
    yield body(b'{"inputs": "x", "parameters": {"temperature": NaN}}', "errors.not-json")
    yield body(b'{"inputs": "x", "parameters": {"temperature": Infinity}}', "errors.not-json")
    for data in (b"[]", b'"text"', b"42", b"null", b"true"):
        yield body(data, "errors.not-an-object")
    for data in (b'{"inputs": "\xff\xfe"}', b'{"inputs": "\xc3"}', '{"inputs": "\ud800"}'.encode("utf-8", "surrogatepass")):
        yield body(data, "errors.not-utf8")
    # what nobody need accept, or refuse, and what must break nothing
    yield body(b'{"inputs": "x", "parameters": {"max_new_tokens": 1}} and more', "errors.never-5xx")
    yield body(b'{"inputs": "\\ud800", "parameters": {"max_new_tokens": 1}}', "errors.never-5xx")
    yield body(b'{"inputs": "x", "inputs": 7, "parameters": {"max_new_tokens": 1}}', "errors.never-5xx")
    yield body(b'{"inputs": "x", "parameters": {"max_new_tokens": 1, "seed": ' + b"9" * 400 + b"}}", "errors.never-5xx")
    yield body(b'{"inputs": "x", "parameters": {"max_new_tokens": 1, "temperature": 1e400}}', "errors.never-5xx")
    yield body(b'{"inputs": "x", "parameters": ' + b'{"a":' * 3000 + b"1" + b"}" * 3001, "errors.never-5xx")
    yield body(b'{"inputs": "a\\u0000b", "parameters": {"max_new_tokens": 1}}', "errors.never-5xx")


def is_valid(payload: Any) -> bool:
    """Whether the documented schema allows the request, integers written as such."""
    return validator().is_valid(payload) and not integers_as_floats(payload)


def integers_as_floats(payload: Any) -> bool:
    """Whether an integer is written 7.0: JSON Schema calls that an integer, known servers do not, the page is silent."""
    given = payload.get("parameters") if isinstance(payload, dict) else None
    if not isinstance(given, dict):
        return False
    kinds = {name: schema.get("type", ()) for name, schema in parameters().items()}
    return any(isinstance(value, float) and "integer" in kinds.get(name, ()) for name, value in given.items())


def hopeless(body: Any) -> tuple[str, str] | None:
    """(statement, field) of the one thing in ``body`` that no lenient reader could take, None when there is none or several."""
    if not isinstance(body, dict):
        return ("errors.not-an-object", "")
    found = {error.instance_path[-1] for error in validator().iter_errors(body) if error.instance_path}
    if "inputs" not in body and not found:
        return ("request.inputs.required", "inputs")
    given = body.get("parameters")
    if len(found) != 1 or "inputs" not in body or (isinstance(given, dict) and None in given.values()):
        return None  # a null may be refused too (request.null)
    name = str(next(iter(found)))
    schema = parameters().get(name)
    if schema is None or not isinstance(given, dict) or name not in given:
        return None
    # text and lists in place of a number or a boolean: neither can be read as one
    unreadable = isinstance(given[name], (list, dict)) or (isinstance(given[name], str) and not given[name].strip().isascii())
    return (f"parameters.{name}.type", name) if unreadable and "array" not in schema.get("type", ()) else None
